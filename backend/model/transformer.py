"""Omni123's backbone: dual-stream layers over text and generation, then single-stream layers on generation.

State-dict names are those of the published Cube3D checkpoints, plus `null_text`.
B batch, T text tokens, C conditioning tokens (text, box), L generation tokens, D model width, V shape codes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from backend.model.config import TransformerConfig
from backend.model.layers import DualBlock, RMSNorm, SingleBlock, layer_norm
from backend.model.rope import rotary_table


class Conditioning(NamedTuple):
    """What enters the conditioning stream: tokens (B, C, D) and which of them are real (B, C) bool."""

    tokens: Tensor
    mask: Tensor


class Blocks(nn.Module):
    """The published files' `transformer.` level: embedding table and layers."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.wte = nn.Embedding(config.vocabulary, config.width)
        self.dual_blocks = nn.ModuleList(
            DualBlock(config, last=layer == config.n_dual - 1) for layer in range(config.n_dual)
        )
        self.single_blocks = nn.ModuleList(SingleBlock(config) for _ in range(config.n_single))

    def dual(self) -> Iterator[DualBlock]:
        return cast("Iterator[DualBlock]", iter(self.dual_blocks))

    def single(self) -> Iterator[SingleBlock]:
        return cast("Iterator[SingleBlock]", iter(self.single_blocks))


class DualStreamTransformer(nn.Module):
    """Next-token logits of a generation sequence given text.

    A model whose config says `embed_codes="projected"` needs `set_shape_codebook` before its first use; the
    codebook belongs to the shape tokenizer and is not part of the state dict.
    """

    codebook: Tensor

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        self.text_proj = nn.Linear(config.text_width, config.width, bias=config.bias)
        self.shape_proj = nn.Linear(config.shape_code_dim, config.width, bias=config.bias)
        self.transformer = Blocks(config)
        self.lm_head = nn.Linear(config.width, config.vocabulary, bias=False)
        if config.use_bbox:
            self.bbox_proj = nn.Linear(3, config.width, bias=config.bias)
        if config.learned_null_text:
            self.null_text = nn.Parameter(torch.empty(1, config.text_tokens, config.width))
        self.register_buffer("codebook", torch.empty(0, config.shape_code_dim), persistent=False)
        self.initialise()

    @torch.no_grad()
    def initialise(self) -> None:
        """Fan-in scaled normals; projections into the residual shrink with depth; a quiet output head."""
        depth = (2 * (self.config.n_dual + self.config.n_single)) ** -0.5
        for name, module in self.named_modules():
            if isinstance(module, nn.Linear):
                residual = name.endswith(("c_proj", "down_proj"))
                nn.init.normal_(module.weight, std=module.in_features**-0.5 * (depth if residual else 1.0))
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, RMSNorm):
                nn.init.ones_(module.weight)
        nn.init.normal_(self.transformer.wte.weight, std=0.02)
        nn.init.normal_(self.lm_head.weight, std=0.02)
        if self.config.learned_null_text:
            nn.init.normal_(self.null_text, std=0.02)

    @torch.no_grad()
    def set_shape_codebook(self, codebook: Tensor) -> None:
        """Take the tokenizer's normalised codebook (V, code dim); write `wte[:V] = shape_proj(codebook)`.

        Raises ValueError for another shape, or for a model that learns its rows freely.
        """
        wanted = (self.config.n_shape_codes, self.config.shape_code_dim)
        if tuple(codebook.shape) != wanted:
            raise ValueError(f"shape codebook is {tuple(codebook.shape)}, the transformer expects {wanted}")
        if self.config.embed_codes == "learned":
            raise ValueError("this transformer learns its shape embeddings; it takes no codebook")
        weight = self.shape_proj.weight
        self.codebook = codebook.detach().to(weight.device, weight.dtype, copy=True)
        self.transformer.wte.weight[: wanted[0]] = self.shape_proj(self.codebook)

    def shape_table(self) -> Tensor:
        """The embedding table (V + 3, D); projected rows are computed anew: gradients reach `shape_proj`."""
        table: Tensor = self.transformer.wte.weight
        if self.config.embed_codes == "learned":
            return table
        if self.codebook.shape[0] == 0:
            raise ValueError("set_shape_codebook() must come before the first use of this transformer")
        return torch.cat((self.shape_proj(self.codebook), table[self.config.n_shape_codes :]))

    def condition(
        self,
        text: Tensor,
        text_mask: Tensor | None = None,
        bbox: Tensor | None = None,
        drop: Tensor | None = None,
    ) -> Conditioning:
        """Text embeddings (B, T, text width), real tokens (B, T) bool, box (B, 3), dropped rows (B,) bool.

        No box means zeros. A dropped row gets the learned null sequence and no box; T is then `text_tokens`.
        """
        tokens = self.text_proj(text)
        mask = text.new_ones(text.shape[:2], dtype=torch.bool) if text_mask is None else text_mask
        if drop is not None:
            tokens = torch.where(drop[:, None, None], self.null_text.to(tokens.dtype), tokens)
            mask = mask | drop[:, None]
        if self.config.use_bbox:
            box = text.new_zeros(text.shape[0], 3) if bbox is None else bbox.to(text.dtype)
            if drop is not None:
                box = box * ~drop[:, None]
            tokens = torch.cat((tokens, self.bbox_proj(box)[:, None]), dim=1)
            mask = F.pad(mask, (0, 1), value=True)
        return Conditioning(tokens, mask)

    def conditioning_mask(self, mask: Tensor) -> Tensor:
        """(B, C) bool -> (B, 1, C, C) bool of who sees whom; padding sees itself, so no row is empty."""
        size = mask.shape[1]
        itself = torch.eye(size, dtype=torch.bool, device=mask.device)
        seen = mask[:, None, :].expand(-1, size, -1)
        return (seen.tril() if self.config.causal_text else seen).logical_or(itself)[:, None]

    def forward(
        self,
        ids: Tensor,
        text: Tensor,
        text_mask: Tensor | None = None,
        *,
        bbox: Tensor | None = None,
        drop: Tensor | None = None,
        visible: Tensor | None = None,
    ) -> Tensor:
        """Generation ids (B, L), BOS first, and the arguments of `condition` -> logits (B, L, V + 3).

        The logits at a position predict the next id. `visible` (L, L) bool says which generation positions
        (columns) each one (rows) sees, as `backend.sequence` builds it; None is causal.
        """
        length = ids.shape[1]
        c, known = self.condition(text, text_mask, bbox, drop)
        x = self.embed(ids)
        rotary = rotary_table(length, self.config.head_dim, self.config.rope_theta, ids.device)
        own = visible
        if own is None:
            own = torch.ones(length, length, dtype=torch.bool, device=ids.device).tril()
        among = self.conditioning_mask(known)
        joint = torch.cat(
            (known[:, None, :].expand(-1, length, -1), own.expand(ids.shape[0], length, length)), dim=-1
        )[:, None]
        for dual in self.transformer.dual():
            keys, values, c = dual.condition(c, among)
            x = dual.generate(x, rotary, keys, values, joint)
        for single in self.transformer.single():
            x = single(x, rotary, visible)
        logits: Tensor = self.lm_head(layer_norm(x, self.config.eps))
        return logits

    def embed(self, ids: Tensor) -> Tensor:
        """(B, L) -> (B, L, D); while training, whole tokens are zeroed at the rate of `token_dropout`."""
        x = F.embedding(ids, self.shape_table())
        if self.training and self.config.token_dropout > 0:
            x = x * (torch.rand(ids.shape, device=ids.device) >= self.config.token_dropout)[..., None]
        return x
