"""Text encoders: prompts to token embeddings for the conditioning stream (Omni123 section 4.1)."""

from __future__ import annotations

from pathlib import Path

from backend.model.text.cache import CachedTextEncoder
from backend.model.text.embeddings import TextEmbeddings, TextEncoder, stacked
from backend.model.text.minilm import MINILM, MiniLMTextEncoder

__all__ = ["CachedTextEncoder", "TextEmbeddings", "TextEncoder", "stacked", "text_encoder"]


def text_encoder(spec: str, folder: Path | None = None) -> TextEncoder:
    """The encoder a model names, with a cache. Raises ValueError for an unknown one."""
    if spec != MINILM:
        raise ValueError(f"unknown text encoder {spec!r}; this version has {MINILM}")
    return CachedTextEncoder(MiniLMTextEncoder())
