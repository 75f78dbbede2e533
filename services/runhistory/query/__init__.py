"""Reads: plain functions over ClickHouse, served by the gateway and used by services at start."""
