"""The dual-stream transformer, its configuration, its cache and the text encoders that condition it."""
