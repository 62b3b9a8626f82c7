"""Cached decoding: conditioning once per prompt, then one token at a time through the generation half.

R rows (conditional, and unconditional under guidance), C conditioning positions, D model width.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from backend.failures import Cancelled
from backend.model.decode import DecodeLayer, PackedLinear
from backend.model.kv_cache import LayerCache
from backend.model.layers import layer_norm
from backend.model.rope import rotary_table
from backend.model.text import TextEmbeddings
from backend.model.transformer import DualStreamTransformer
from backend.sampling import SamplingSettings, choose, guided
from backend.sequence import Segment

KeysValues = list[tuple[Tensor, Tensor]]  # of each dual layer, each (N, c, H)


class Engine:
    """Decodes one model as it is now; a model trained further needs a new engine.

    The model's weights are stored anew for decoding, in place; its outputs stay the same.
    `null_text` (T, text width): embedding of the empty prompt, for models without a learned null sequence.
    """

    def __init__(
        self, model: DualStreamTransformer, device: torch.device, null_text: Tensor | None = None
    ) -> None:
        if not model.config.learned_null_text and null_text is None:
            raise ValueError(
                "a model without a learned null sequence needs the embedding of the empty prompt"
            )
        self.model, self.device = model.eval(), device
        self.config = model.config
        self.rotary = rotary_table(
            self.config.n_shape_tokens, self.config.head_dim, self.config.rope_theta, device
        )
        self.dual = [DecodeLayer(layer) for layer in model.transformer.dual()]
        self.single = [DecodeLayer(layer) for layer in model.transformer.single()]
        self.head = PackedLinear(model.lm_head)
        with torch.inference_mode():
            self.table = model.embedding_table().clone()
            # A constant of the model: every prompt shares it.
            self.unconditional = self._null(null_text)

    def _null(self, null_text: Tensor | None) -> KeysValues:
        if null_text is not None:
            return self._condition(null_text.to(self.device), None, None)
        return self.model.prompt_keys_values(None, drop=True)

    def _condition(self, text: Tensor, mask: Tensor | None, bbox: Tensor | None) -> KeysValues:
        """Conditioning keys and values of one prompt (T, text width)."""
        known = torch.ones(len(text), dtype=torch.bool) if mask is None else mask
        return self.model.prompt_keys_values(TextEmbeddings((text[None],), (known[None],)), bbox)

    def shape_tokens(
        self,
        text: Tensor,
        text_mask: Tensor | None,
        settings: SamplingSettings,
        *,
        bbox: Tensor | None = None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Iterator[tuple[int, Tensor]]:
        """Yield (index, ids) after each token; ids (n_shape_tokens,) is filled up to index, the rest is zero.

        text: (T, text width) of the model's text encoder, text_mask: (T,) bool. The same seed, weights and
        device give the same ids. Raises Cancelled between two tokens.
        """
        generator = torch.Generator(device=self.device).manual_seed(settings.seed)
        total = self.config.n_shape_tokens
        ids = torch.zeros(total, dtype=torch.long, device=self.device)
        last = torch.tensor(self.model.vocabulary.start(Segment("shape")), device=self.device)
        with torch.inference_mode():
            rows = [self._condition(text.to(self.device), text_mask, bbox)]
            if settings.guidance > 0:
                rows.append(self.unconditional)
            state = _State(self.model, rows, total)
        for index in range(total):
            if cancelled():
                raise Cancelled
            with torch.inference_mode():
                logits = self._step(state, last, index)
                mixed = logits[0]
                if len(rows) == 2:
                    mixed = guided(logits[0], logits[1], settings.guidance_at(index, total))
                last = ids[index] = choose(mixed, settings, generator)
            yield index, ids

    def _step(self, state: _State, last: Tensor, index: int) -> Tensor:
        """Feed the last id at position `index`: logits over the codes, (R, V) float32."""
        x = self.table[last].expand(state.rows, -1)
        rotary = (self.rotary[0][index], self.rotary[1][index])
        position = state.conditioning + index
        mask = None if state.mask is None else state.mask[..., : position + 1]
        for layer, cache in zip(self.dual, state.dual, strict=True):
            x = layer.step(x, rotary, cache, position, mask)
        for layer, cache in zip(self.single, state.single, strict=True):
            x = layer.step(x, rotary, cache, index, None)
        logits = self.head(layer_norm(x, self.config.eps))
        return logits[:, : self.config.n_shape_codes].float()


class _State:
    """Caches of one run, and which conditioning positions each row may see."""

    def __init__(self, model: DualStreamTransformer, rows: list[KeysValues], length: int) -> None:
        config = model.config
        self.rows = len(rows)
        sizes = [row[0][0].shape[1] for row in rows]
        self.conditioning = max(sizes)
        like = rows[0][0][0]

        def cache(size: int) -> LayerCache:
            return LayerCache(self.rows, config.n_heads, size, config.head_dim, like)

        self.dual = [cache(self.conditioning + length) for _ in range(config.n_dual)]
        self.single = [cache(length) for _ in range(config.n_single)]
        for number, row in enumerate(rows):
            for layer, (keys, values) in zip(self.dual, row, strict=True):
                layer.fill(number, keys, values)
        # Rows of unlike length leave gaps; equal ones need no mask at all.
        self.mask: Tensor | None = None
        if min(sizes) < self.conditioning:
            self.mask = like.new_zeros(self.rows, 1, 1, self.conditioning + length)  # added to the scores
            for number, size in enumerate(sizes):
                self.mask[number, ..., size : self.conditioning] = -torch.inf
