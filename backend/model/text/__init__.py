"""Text encoders: prompts to token embeddings for the conditioning stream (Omni123 section 4.1)."""

from __future__ import annotations

import re
from pathlib import Path

import torch

from backend.model.text.cache import CachedTextEncoder
from backend.model.text.clip import CLIPTextEncoder
from backend.model.text.concatenated import ConcatenatedTextEncoder
from backend.model.text.embeddings import TextEmbeddings, TextEncoder, stacked
from backend.model.text.minilm import MINILM, MiniLMTextEncoder
from backend.model.text.pretrained import source
from backend.model.text.qwen3 import TOKENS, Qwen3TextEncoder

__all__ = [
    "CLIPTextEncoder",
    "CachedTextEncoder",
    "ConcatenatedTextEncoder",
    "MiniLMTextEncoder",
    "Qwen3TextEncoder",
    "TextEmbeddings",
    "TextEncoder",
    "stacked",
    "text_encoder",
]
KINDS = f"{MINILM}, clip:FOLDER, qwen3:FOLDER@TOKENS, or several joined by +"


def text_encoder(
    spec: str, folder: Path | None = None, device: torch.device | str = "cpu"
) -> CachedTextEncoder:
    """The encoder a model names in its config.json; relative paths lie in the model's `folder`.

    FOLDER may be a hub id. Raises ValueError for an unknown or missing encoder.
    """
    parts = re.split(r"\+(?=clip:|qwen3:)", spec)
    encoders = [_encoder(part, folder, device) for part in parts]
    return CachedTextEncoder(encoders[0] if len(encoders) == 1 else ConcatenatedTextEncoder(encoders))


def _encoder(spec: str, folder: Path | None, device: torch.device | str) -> TextEncoder:
    kind, _, where = spec.partition(":")
    if kind == MINILM and not where:
        return MiniLMTextEncoder()
    if kind == "clip" and where:
        return CLIPTextEncoder(source(where, folder), device)
    if kind == "qwen3" and (named := re.fullmatch(r"(.+?)(?:@(\d+))?", where)):
        return Qwen3TextEncoder(source(named[1], folder), int(named[2] or TOKENS), device)
    raise ValueError(f"unknown text encoder {spec!r}; this version has {KINDS}")
