"""Which modules a model folder may hold, and the text encoders it may name."""

from __future__ import annotations

from backend.checkpoint import Registries
from backend.model.config import TransformerConfig
from backend.model.transformer import DualStreamTransformer
from backend.shape_tokenizer import KINDS

REGISTRIES: Registries = {
    "transformer": {"dual_stream": (TransformerConfig, DualStreamTransformer)},
    "shape_tokenizer": KINDS,
}
