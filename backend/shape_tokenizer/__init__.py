"""Shape tokenizers: surface points to discrete tokens, and tokens to an occupancy field."""
