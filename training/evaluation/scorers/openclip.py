"""Text towers of OpenCLIP checkpoints: ViT-bigG-14 for ULIP-2, EVA02-E-14-plus for Uni3D.

Sizes follow from the tensors; heads are of 64. Towers of both layouts are read: at the top of the file, or
under "text.". B prompts, T = 77 tokens, W width.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from tokenizers import Tokenizer
from torch import Tensor, nn

HEAD = 64
START, END = "<|startoftext|>", "<|endoftext|>"


class _Block(nn.Module):
    """Pre-norm attention, causal, and a GELU feed-forward."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn = nn.MultiheadAttention(width, max(1, width // HEAD), batch_first=True)
        self.mlp = nn.ModuleDict({"c_fc": nn.Linear(width, 4 * width), "c_proj": nn.Linear(4 * width, width)})

    def forward(self, x: Tensor, hidden: Tensor) -> Tensor:
        normed = self.ln_1(x)
        x = x + self.attn(normed, normed, normed, need_weights=False, attn_mask=hidden)[0]
        out: Tensor = x + self.mlp["c_proj"](F.gelu(self.mlp["c_fc"](self.ln_2(x))))
        return out


class TextTower(nn.Module):
    """Token ids to the shared space, under the published names."""

    def __init__(self, *, vocabulary: int, tokens: int, width: int, depth: int, embedding: int) -> None:
        super().__init__()
        self.token_embedding = nn.Embedding(vocabulary, width)
        self.positional_embedding = nn.Parameter(torch.zeros(tokens, width))
        self.transformer = nn.ModuleDict({"resblocks": nn.ModuleList(_Block(width) for _ in range(depth))})
        self.ln_final = nn.LayerNorm(width)
        self.text_projection = nn.Parameter(torch.zeros(width, embedding))

    def forward(self, ids: Tensor, last: Tensor) -> Tensor:
        """ids (B, T), last (B,): where each prompt's end token stands. Unit rows (B, D)."""
        x = self.token_embedding(ids) + self.positional_embedding[: ids.shape[1]]
        hidden = torch.ones(ids.shape[1], ids.shape[1], dtype=torch.bool).triu(1)
        blocks = self.transformer["resblocks"]
        assert isinstance(blocks, nn.ModuleList)
        for block in blocks:
            x = block(x, hidden)
        ends = self.ln_final(x)[torch.arange(len(x)), last]
        return F.normalize(ends @ self.text_projection, dim=-1)


class OpenClipText:
    """Prompts to unit rows."""

    def __init__(self, tensors: Mapping[str, Tensor], tokenizer: Path) -> None:
        """tokenizer: CLIP's tokenizer.json."""
        prefix = "text." if "text.token_embedding.weight" in tensors else ""
        own = {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
        try:
            table, places = own["token_embedding.weight"], own["positional_embedding"]
            depth = len({name.split(".")[2] for name in own if name.startswith("transformer.resblocks.")})
            self.tower = TextTower(
                vocabulary=table.shape[0],
                tokens=places.shape[0],
                width=table.shape[1],
                depth=depth,
                embedding=own["text_projection"].shape[1],
            )
            state = {name: own[name].float() for name in self.tower.state_dict()}
        except KeyError as error:
            raise ValueError(f"this is no OpenCLIP text tower: it lacks {error}") from error
        self.tower.load_state_dict(state)
        self.tower.eval().requires_grad_(False)
        self.most = places.shape[0]
        if not tokenizer.is_file():
            raise ValueError(f"{tokenizer} is missing: CLIP's own tokenizer.json belongs beside the weights")
        self.tokenizer = Tokenizer.from_file(str(tokenizer))
        self.tokenizer.no_padding()
        self.tokenizer.no_truncation()
        start, end = (self.tokenizer.token_to_id(name) for name in (START, END))
        if start is None or end is None:
            raise ValueError(f"{tokenizer} is not CLIP's: it has no {START} or no {END}")
        self.start, self.end = start, end

    @torch.no_grad()
    def encode(self, prompts: Sequence[str]) -> Tensor:
        """(n, D). Pads stand after the end token, which no earlier token sees."""
        rows = [self._ids(prompt) for prompt in prompts]
        ids = nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], batch_first=True)
        out: Tensor = self.tower(ids, torch.tensor([len(row) - 1 for row in rows]))
        return out

    def _ids(self, prompt: str) -> list[int]:
        words: list[int] = self.tokenizer.encode(prompt, add_special_tokens=False).ids
        return [self.start, *words[: self.most - 2], self.end]
