"""Data for training: ingest, filtering, sampling, synthetic objects, shards."""
