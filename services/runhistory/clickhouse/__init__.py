"""The adapter to ClickHouse: a client by URL, and the migrations of its tables."""
