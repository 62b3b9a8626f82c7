"""Captions of assets: by rules from names and measurements, or by a vision-language model (paper, 3.4)."""
