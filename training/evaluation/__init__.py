"""Figures and picture sheets of what tokenizers and models make; `omni123-train evaluate` runs them."""
