"""Which modules a model folder may hold, and the text encoders it may name."""

from __future__ import annotations

from backend import image_tokenizer, shape_tokenizer
from backend.checkpoint import Registries
from backend.model.config import TransformerConfig
from backend.model.transformer import DualStreamTransformer

_TRANSFORMERS = {"dual_stream": (TransformerConfig, DualStreamTransformer)}
REGISTRIES: Registries = {
    "transformer": _TRANSFORMERS,
    # The transformer of the last stage, where a model keeps the one before it for all tasks but edits.
    "edit_transformer": _TRANSFORMERS,
    "shape_tokenizer": shape_tokenizer.KINDS,
    "image_tokenizer": image_tokenizer.KINDS,
}
