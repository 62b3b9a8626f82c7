"""Meshes, the canonical frame, surface samples and labels for training, and iso-surface extraction."""
