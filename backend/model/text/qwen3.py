"""Qwen3 as a text encoder: last hidden states, padding masked (Omni123 section 4.1: the one of 0.6B).

B prompts, T text tokens, W width.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F

from backend.model.text.embeddings import TextEmbeddings
from backend.model.text.pretrained import load

TOKENS = 256  # of one prompt, where a model names no other length; the paper gives none


class Qwen3TextEncoder:
    """Last hidden states after the final norm, float32.

    Raises ValueError when `source`, a folder or hub id, does not hold a Qwen3 model.
    """

    def __init__(self, source: str, tokens: int = TOKENS, device: torch.device | str = "cpu") -> None:
        if tokens < 1:
            raise ValueError(
                f"a prompt of {tokens} tokens says nothing; give the length of qwen3 as at least 1"
            )
        self.name = f"qwen3:{source}@{tokens}"
        self.model, self.tokenizer = load(source, "Qwen3Model", "Qwen2Tokenizer", device)
        self.max_tokens, self.tokens = tokens, (tokens,)
        self.widths = (int(self.model.config.hidden_size),)
        self.device = device

    def count_tokens(self, prompt: str) -> int:
        return len(self.tokenizer(prompt, verbose=False).input_ids)

    @torch.no_grad()
    def encode(self, prompts: Sequence[str]) -> TextEmbeddings:
        rows = self.tokenizer(list(prompts), truncation=True, max_length=self.max_tokens).input_ids
        counts = torch.tensor([len(row) for row in rows], device=self.device)
        # Every token sees only those before it, so what stands behind a prompt changes nothing in it, and the
        # empty prompt, which has no token at all, needs a longest row of at least one.
        ids = torch.zeros(len(rows), max(1, *map(len, rows)), dtype=torch.long, device=self.device)
        for row, known in zip(ids, rows, strict=True):
            row[: len(known)] = torch.tensor(known, dtype=torch.long)
        hidden = self.model(ids, use_cache=False).last_hidden_state.float()
        mask = torch.arange(self.max_tokens, device=self.device) < counts[:, None]
        padded = F.pad(hidden, (0, 0, 0, self.max_tokens - hidden.shape[1]))
        return TextEmbeddings((padded * mask[..., None],), (mask,))
