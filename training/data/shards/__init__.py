"""Shards: what training reads, in Arrow files, one folder per modality, aligned by the assets' keys."""
