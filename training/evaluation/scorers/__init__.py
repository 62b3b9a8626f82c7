"""Judges of how well a shape fits its words: our own, and published ones where their weights are."""
