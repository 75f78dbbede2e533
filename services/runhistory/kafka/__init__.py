"""The log: Kafka topics, clients with safe settings, and commands that wait for their reply."""
