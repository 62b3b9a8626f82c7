"""Image tokenizer: square images to one-dimensional discrete tokens and back (Omni123 section 4.3)."""
