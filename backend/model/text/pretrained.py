"""Frozen encoders and their tokenizers through `transformers`, from a folder or by hub id; safetensors only.

`transformers` is imported when the first of them is loaded, so `mini` does without it.
"""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError

HUB_ID = re.compile(r"[\w.-]*\w[\w.-]*/[\w.-]*\w[\w.-]*")  # owner/name; everything else is a path


class Pretrained(NamedTuple):
    """A model in evaluation mode, fp32, and its tokenizer."""

    model: Any
    tokenizer: Any


def source(where: str, folder: Path | None = None) -> str:
    """What a spec points at: a folder, relative ones lying in the model folder, else a hub id.

    Raises ValueError for a folder that does not exist.
    """
    path = Path(where).expanduser()
    if folder is not None and (folder / path).is_dir():
        return str(folder / path)
    if path.is_dir():
        return str(path)
    if HUB_ID.fullmatch(where) and where[0] != ".":
        return where
    raise ValueError(f"there is no text encoder folder at {path if folder is None else folder / path}")


def load(source: str, model: str, tokenizer: str, device: torch.device | str) -> Pretrained:
    """Loads the classes of these names. Raises ValueError, its sentence saying what is missing."""
    try:
        transformers: Any = importlib.import_module("transformers")
    except ImportError as error:
        raise ValueError(f"the text encoder {source} needs the package transformers; install it") from error
    transformers.utils.logging.disable_progress_bar()
    try:
        loaded, report = getattr(transformers, model).from_pretrained(
            source, use_safetensors=True, dtype=torch.float32, output_loading_info=True
        )
        words = getattr(transformers, tokenizer).from_pretrained(source)
    except (OSError, ValueError, RuntimeError, TypeError, KeyError, SafetensorError) as error:
        reason = str(error).strip().split("\n", 1)[0].rstrip(".")
        raise ValueError(
            f"the text encoder {source} does not load as {model} with its tokenizer ({reason})"
        ) from error
    # Without its files transformers makes an empty tokenizer; byte-level ones know every byte.
    size = loaded.config.vocab_size
    if not 256 < len(words) <= size:
        raise ValueError(
            f"the text encoder {source} knows {size} tokens and its tokenizer {len(words)}: "
            "tokenizer files are missing or another model's"
        )
    # transformers would fill these with random numbers.
    if lost := sorted(report["missing_keys"]):
        raise ValueError(f"the text encoder {source} lacks weights: {', '.join(lost[:6])}")
    return Pretrained(loaded.to(device).eval().requires_grad_(False), words)
