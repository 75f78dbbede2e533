"""The one-machine stack: Kafka, ClickHouse and the services under one supervisor."""
