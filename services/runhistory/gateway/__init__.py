"""The one HTTP door: commands, points, logs, files, snapshots and reads.

It keeps nothing: writes go to Kafka and the object store, reads come from ClickHouse. It may be
killed at any moment, and any number of them may serve side by side.
"""
