"""Commands in, events and replies out: each command decided once, by Kafka's transactions."""
