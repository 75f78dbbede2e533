"""Kafka -> ClickHouse: every record at least once into the tables, every point once to the eye.

The cycle is poll, insert, bury, commit, and each step is done before the next begins. So a crash
anywhere repeats records and never skips one; that a repetition changes no answer is the tables'
work (docs/delivery.md). ClickHouse being away is back-pressure; only a record that ClickHouse
reads and refuses becomes a dead letter.
"""
