"""Bytes that are too large for the log: blobs by their SHA-256, and snapshots' manifests."""
