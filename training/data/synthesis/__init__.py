"""Text -> image -> 3D: assets out of prompts, by a picture model and a shape model (paper, section 3.5)."""
