"""CLIP's text model: the last hidden states of a prompt padded to full length (Omni123 section 4.1, Cube3D).

B prompts, T = 77 text tokens, W width.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from backend.model.text.embeddings import TextEmbeddings
from backend.model.text.pretrained import load


class CLIPTextEncoder:
    """Last hidden states after the final norm, float32; the pads count as tokens, as published models expect.

    Raises ValueError when `source`, a folder or hub id, does not hold a CLIP text model.
    """

    def __init__(self, source: str, device: torch.device | str = "cpu") -> None:
        self.name = f"clip:{source}"
        self.model, self.tokenizer = load(source, "CLIPTextModel", "CLIPTokenizer", device)
        config = self.model.config
        self.max_tokens = int(config.max_position_embeddings)
        self.tokens = (self.max_tokens,)
        self.widths = (int(config.hidden_size),)
        self.device = device

    def save(self, folder: Path) -> None:
        """The text model and its tokenizer as a folder of their own."""
        self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)

    def count_tokens(self, prompt: str) -> int:
        return len(self.tokenizer(prompt, verbose=False).input_ids)

    @torch.no_grad()
    def encode(self, prompts: Sequence[str]) -> TextEmbeddings:
        fed = self.tokenizer(
            list(prompts),
            padding="max_length",
            truncation=True,
            max_length=self.max_tokens,
            return_tensors="pt",
        ).to(self.device)
        # The pads see the words and not each other: the published models were trained on exactly that.
        hidden = self.model(fed.input_ids, attention_mask=fed.attention_mask).last_hidden_state
        return TextEmbeddings((hidden.float(),), (torch.ones_like(fed.input_ids, dtype=torch.bool),))
