"""Omni123's backbone: dual-stream layers over text and generation, then single-stream layers on generation.

Paper section 4.1 and Table 3. State-dict names are those of the published Cube3D checkpoints, plus
`null_text` and what images, views and further text encoders need.
B batch, T text tokens, C conditioning tokens (text, box), L generation tokens, D model width, N heads.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from backend.model.attention import (
    PackedAttention,
    PackedText,
    attend_joint,
    attend_rows,
    conditioning_mask,
)
from backend.model.config import TransformerConfig
from backend.model.layers import DualBlock, KeysValues, RMSNorm, Rotary, SingleBlock, layer_norm
from backend.model.rope import rotary_table
from backend.model.text.embeddings import TextEmbeddings
from backend.sequence import SPECIALS, Modality, PackedBatch, Vocabulary

HEAD_STD = 0.02  # of the rows of an output head that starts quiet


class Conditioning(NamedTuple):
    """What enters the conditioning stream: tokens (B, C, D) and which of them are real (B, C) bool."""

    tokens: Tensor
    mask: Tensor


class Blocks(nn.Module):
    """The published files' `transformer.` level: embedding table and layers."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.wte = nn.Embedding(config.vocabulary.rows("shape"), config.width)
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

    Codes whose embedding is projected need `set_codebooks` before the first use; codebooks belong to the
    tokenizers and are not part of the state dict.
    """

    shape_codebook: Tensor
    image_codebook: Tensor

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config, width = config, config.width
        self.vocabulary: Vocabulary = config.vocabulary
        first, *further = (nn.Linear(text.width, width, bias=config.bias) for text in config.text)
        self.text_proj, self.further_text_proj = first, nn.ModuleList(further)
        if config.embed_codes == "projected":
            self.shape_proj = nn.Linear(config.shape_code_dim, width, bias=config.bias)
        self.transformer = Blocks(config)
        self.lm_head = nn.Linear(width, self.vocabulary.rows("shape"), bias=False)
        if config.n_image_codes:
            projected = config.embed_image_codes == "projected"
            self.image_wte = nn.Embedding(SPECIALS if projected else self.vocabulary.rows("image"), width)
            self.image_head = nn.Linear(width, self.vocabulary.rows("image"), bias=False)
            if projected:
                self.image_proj = nn.Linear(config.image_code_dim, width, bias=config.bias)
        if config.n_views:
            self.view_wte = nn.Embedding(config.n_views, width)
        if config.use_bbox:
            self.bbox_proj = nn.Linear(3, width, bias=config.bias)
        if config.learned_null_text:
            self.null_text = nn.Parameter(torch.empty(1, config.text_tokens, width))
        self.checkpoint_activations = False  # keep a layer's inputs alone for the backward pass
        self.register_buffer("shape_codebook", torch.empty(0, config.shape_code_dim), persistent=False)
        self.register_buffer("image_codebook", torch.empty(0, config.image_code_dim), persistent=False)
        self.initialise()

    @torch.no_grad()
    def initialise(self) -> None:
        """Fan-in scaled normals; projections into the residual shrink with depth; quiet output heads."""
        depth = (2 * (self.config.n_dual + self.config.n_single)) ** -0.5
        for name, module in self.named_modules():
            if isinstance(module, nn.Linear):
                residual = name.endswith(("c_proj", "down_proj"))
                nn.init.normal_(module.weight, std=module.in_features**-0.5 * (depth if residual else 1.0))
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, RMSNorm):
                nn.init.ones_(module.weight)
        for name, weight in self.named_parameters():
            if name.endswith(("wte.weight", "_head.weight")):
                nn.init.normal_(weight, std=HEAD_STD)
        if self.config.learned_null_text:
            nn.init.normal_(self.null_text, std=0.02)

    @torch.no_grad()
    def set_codebooks(self, shape: Tensor | None, image: Tensor | None) -> None:
        """Take the tokenizers' normalised codebooks (codes, code dim), None for a table of free rows.

        Published files also hold `wte[:V] = shape_proj(codebook)`, which is written anew. Raises ValueError
        for another shape, and for one that is missing or not asked for.
        """
        config = self.config
        images = config.n_image_codes > 0 and config.embed_image_codes == "projected"
        shape_size, image_size = (
            (config.n_shape_codes, config.shape_code_dim) if config.embed_codes == "projected" else None,
            (config.n_image_codes, config.image_code_dim) if images else None,
        )
        weight = self.text_proj.weight
        for name, given, wanted in (("shape", shape, shape_size), ("image", image, image_size)):
            found = None if given is None else tuple(given.shape)
            if found != wanted:
                raise ValueError(f"the {name} codebook is {found}, the transformer expects {wanted}")
            if given is not None:
                own = given.detach().to(weight.device, weight.dtype, copy=True)
                self.register_buffer(f"{name}_codebook", own, persistent=False)
        if shape is not None:
            self.transformer.wte.weight[: len(shape)] = self.shape_proj(self.shape_codebook)

    @property
    def derived_rows(self) -> dict[str, int]:
        """Tensors whose first rows `set_codebooks` makes: no model folder needs to store them."""
        projected = self.config.embed_codes == "projected"
        return {"transformer.wte.weight": self.config.n_shape_codes} if projected else {}

    def embedding_table(self) -> Tensor:
        """(vocabulary.size, D) by global id; projected rows are made anew, so that gradients reach them."""
        table: Tensor = self.transformer.wte.weight
        if self.config.embed_codes == "projected":
            specials = table[self.config.n_shape_codes :]
            parts = [_projected(self.shape_proj, self.shape_codebook), specials]
        else:
            parts = [table]
        if self.config.n_image_codes:
            if self.config.embed_image_codes == "projected":
                parts.append(_projected(self.image_proj, self.image_codebook))
            parts.append(self.image_wte.weight)
        if self.config.n_views:
            parts.append(self.view_wte.weight)
        return torch.cat(parts)

    def condition(
        self, text: TextEmbeddings, bbox: Tensor | None = None, drop: Tensor | None = None
    ) -> Conditioning:
        """Text of every encoder, box (B, 3), dropped rows (B,) bool.

        No box means zeros. A dropped row gets the learned null sequence and no box; texts then have their
        full length.
        """
        projections = cast("list[nn.Linear]", [self.text_proj, *self.further_text_proj])
        dtype = self.text_proj.weight.dtype
        tokens = torch.cat(
            [
                project(part.to(dtype)).to(dtype)
                for project, part in zip(projections, text.parts, strict=True)
            ],
            dim=1,
        )
        mask = torch.cat(text.masks, dim=1)
        if drop is not None:
            tokens = torch.where(drop[:, None, None], self.null_text.to(tokens.dtype), tokens)
            mask = mask | drop[:, None]
        if self.config.use_bbox:
            box = tokens.new_zeros(len(tokens), 3) if bbox is None else bbox.to(tokens)
            if drop is not None:
                box = box * ~drop[:, None]
            tokens = torch.cat((tokens, self.bbox_proj(box)[:, None]), dim=1)
            mask = F.pad(mask, (0, 1), value=True)
        return Conditioning(tokens, mask)

    def forward(
        self,
        ids: Tensor | PackedBatch,
        text: TextEmbeddings,
        *,
        bbox: Tensor | None = None,
        drop: Tensor | None = None,
        visible: Tensor | None = None,
        due: Mapping[Modality, Tensor] | None = None,
    ) -> dict[Modality, Tensor]:
        """Logits (n, rows of that head) of the n positions where a head is due.

        A pack says itself what is visible and due, see `packed`. For ids (B, L) the arguments are those of
        `hidden`; `due` holds (B, L) bool, as `SequenceBatch.due` makes it; None asks every head everywhere.
        """
        if isinstance(ids, PackedBatch):
            return self.packed(ids, text, bbox=bbox, drop=drop)
        hidden = self.hidden(ids, text, bbox=bbox, drop=drop, visible=visible)
        if due is None:
            return {m: self.logits(hidden.flatten(0, 1), m) for m in self.vocabulary.modalities}
        return {modality: self.logits(hidden[where], modality) for modality, where in due.items()}

    def packed(
        self,
        batch: PackedBatch,
        text: TextEmbeddings,
        *,
        bbox: Tensor | None = None,
        drop: Tensor | None = None,
    ) -> dict[Modality, Tensor]:
        """Logits (n, rows of the head) at `batch.due(modality)` of every modality the model has.

        Row i of the text, of the box (B, 3) and of drop (B,) bool is sample i's. Call it as
        `model(batch, ...)` where the model may be wrapped: DDP and FSDP see forward alone.
        """
        hidden = self._packed_hidden(batch, self._packed_text(text, bbox, drop))
        return {m: self.logits(hidden.index_select(0, batch.due(m)), m) for m in self.vocabulary.modalities}

    def _packed_text(self, text: TextEmbeddings, bbox: Tensor | None, drop: Tensor | None) -> PackedText:
        """The distinct conditionings: all that are dropped read one null sequence."""
        if drop is None:
            own = self.condition(text, bbox)
            return PackedText.of(*own, torch.arange(len(text), device=own.mask.device))
        kept = (~drop).nonzero()[:, 0]
        own = self.condition(text.rows(kept), None if bbox is None else bbox[kept])
        null = self._null()  # also where none is dropped, so that every step has a gradient for it
        mask = F.pad(own.mask, (0, 0, 0, 1), value=True)
        rows = torch.where(drop, len(kept), (~drop).cumsum(0) - 1)
        return PackedText.of(torch.cat((own.tokens, null.to(own.tokens.dtype))), mask, rows)

    def _packed_hidden(self, batch: PackedBatch, text: PackedText) -> Tensor:
        """(P, D), normalised."""
        attention = PackedAttention(batch, text, causal_text=self.config.causal_text)
        c, x = text.tokens, self.embed(batch.inputs)
        longest = max(stack.length for stack in batch.stacks)
        rotary = self._rotary(longest, x.device)
        rotary = rotary[0][batch.positions], rotary[1][batch.positions]
        for dual in self.transformer.dual():
            c, x = self._run(dual, c, x, rotary, attention.among_text, attention.with_text)
        for single in self.transformer.single():
            x = self._run(single, x, rotary, attention.alone)
        return layer_norm(x, self.config.eps)

    def _run(self, layer: nn.Module, *inputs: Any) -> Any:
        """A layer; with `checkpoint_activations`, what it computes is computed again for its gradient."""
        if self.checkpoint_activations and torch.is_grad_enabled():
            return checkpoint(layer, *inputs, use_reentrant=False)
        return layer(*inputs)

    def _rotary(self, length: int, device: torch.device) -> Rotary:
        """Of positions 0 .. length - 1, each (L, 1, H)."""
        cos, sin = rotary_table(length, self.config.head_dim, self.config.rope_theta, device)
        return cos[:, None], sin[:, None]

    def hidden(
        self,
        ids: Tensor,
        text: TextEmbeddings,
        *,
        bbox: Tensor | None = None,
        drop: Tensor | None = None,
        visible: Tensor | None = None,
    ) -> Tensor:
        """Global ids (B, L), start tokens included, and the arguments of `condition` -> normalised (B, L, D).

        What a position holds predicts the next code. `visible` (L, L) or (B, L, L) bool says which positions
        (columns) each one (rows) sees, as `backend.sequence` builds it; None is causal.
        """
        rows, length = ids.shape
        c, known = self.condition(text, bbox, drop)
        x = self.embed(ids)
        rotary = self._rotary(length, ids.device)
        own = visible
        if own is None:
            own = torch.ones(length, length, dtype=torch.bool, device=ids.device).tril()
        own = own.expand(rows, length, length)
        joint = attend_joint(torch.cat((known[:, None, :].expand(-1, length, -1), own), dim=-1)[:, None])
        among = attend_rows(conditioning_mask(known, causal=self.config.causal_text))
        alone = attend_rows(None if visible is None else own[:, None], causal=visible is None)
        for dual in self.transformer.dual():
            c, x = dual(c, x, rotary, among, joint)
        for single in self.transformer.single():
            x = single(x, rotary, alone)
        return layer_norm(x, self.config.eps)

    def logits(self, hidden: Tensor, modality: Modality) -> Tensor:
        """(..., D) -> (..., rows of the modality's head), its codes first."""
        head = self.lm_head if modality == "shape" else self.image_head
        out: Tensor = head(hidden)
        return out

    def embed(self, ids: Tensor) -> Tensor:
        """(B, L) -> (B, L, D); while training, whole tokens are zeroed at the rate of `token_dropout`."""
        x = F.embedding(ids, self.embedding_table())
        if self.training and self.config.token_dropout > 0:
            x = x * (torch.rand(ids.shape, device=ids.device) >= self.config.token_dropout)[..., None]
        return x

    def prompt_keys_values(
        self, text: TextEmbeddings | None, bbox: Tensor | None = None, *, drop: bool = False
    ) -> list[KeysValues]:
        """Conditioning keys and values (N, C, H) of each dual layer for one prompt, padding left out.

        bbox: (3,). `drop` gives those of the learned null sequence and needs no text. They depend on nothing
        that is generated, so a prompt needs them once.
        """
        if drop:
            tokens = self._null()
        else:
            assert text is not None
            tokens, mask = self.condition(text, None if bbox is None else bbox[None])
            tokens = tokens[mask][None]
        known = torch.ones(tokens.shape[:2], dtype=torch.bool, device=tokens.device)
        among = attend_rows(conditioning_mask(known, causal=self.config.causal_text))
        out, c = [], tokens
        for dual in self.transformer.dual():
            c, own = dual.condition(c, among)
            out.append(_heads_first(own))
        return out

    def _null(self) -> Tensor:
        """(1, C, D) of a dropped prompt."""
        if not self.config.learned_null_text:
            raise ValueError("this model's null text is the embedding of the empty prompt; give that instead")
        tokens: Tensor = self.null_text
        if self.config.use_bbox:
            tokens = torch.cat((tokens, self.bbox_proj(tokens.new_zeros(1, 1, 3))), dim=1)
        return tokens

    def prefill(self, ids: Tensor, conditioning: Sequence[KeysValues]) -> list[KeysValues]:
        """Keys, rotated, and values (N, P, H) of each layer, dual then single, for a prefix of sources.

        ids: (P,) global, see `backend.sequence.segment_ids`; conditioning: as `prompt_keys_values` gives it.
        """
        x, out = self.embed(ids[None]), []
        rotary = self._rotary(len(ids), ids.device)
        for dual, (keys, values) in zip(self.transformer.dual(), conditioning, strict=True):
            text = keys.transpose(0, 1)[None], values.transpose(0, 1)[None]
            x, own = dual.generate(x, rotary, text, attend_joint(None))
            out.append(_heads_first(own))
        for single in self.transformer.single():
            x, own = single.generate(x, rotary, attend_rows(None))
            out.append(_heads_first(own))
        return out


def _heads_first(keys_values: KeysValues) -> KeysValues:
    """(1, S, N, H) -> (N, S, H)"""
    keys, values = keys_values
    return keys[0].transpose(0, 1), values[0].transpose(0, 1)


def _projected(projection: nn.Linear, codebook: Tensor) -> Tensor:
    """Embeddings (codes, D) of a codebook's rows."""
    if not len(codebook):
        raise ValueError("set_codebooks() must come before the first use of this transformer")
    out: Tensor = projection(codebook)
    return out
