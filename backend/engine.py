"""Continuous batching: chains start, advance one token together, and stop, as rows of one batch.

What a chain starts from, its prompt and its non-causal prefix of sources (Omni123 section 4.4), is read once.
P prefix positions.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import count, islice

import torch
from torch import Tensor

from backend.chain import Chain
from backend.decode.interface import RowDecoder
from backend.decode.recent import KeysValues, RecentKeysValues
from backend.decode.rows import KernelRows
from backend.decode.torch_rows import TorchRows
from backend.model.text import TextEmbeddings
from backend.model.transformer import DualStreamTransformer
from backend.sampling import SamplingSettings
from backend.sequence import Layout, segment_ids

CACHED_BYTES = 1 << 29  # of the prompts' and sources' keys and values that are kept for their next use


class Engine:
    """Decodes one model as it is now; a model trained further needs a new engine.

    `null_text`: embedding of the empty prompt, for models without a learned null sequence.
    """

    def __init__(
        self,
        model: DualStreamTransformer,
        device: torch.device,
        *,
        null_text: TextEmbeddings | None = None,
        decoder: RowDecoder | None = None,
    ) -> None:
        if not model.config.learned_null_text and null_text is None:
            raise ValueError(
                "a model without a learned null sequence needs the embedding of the empty prompt"
            )
        self.model, self.device = model.eval(), device
        self.decoder = decoder or (KernelRows(model) if device.type == "cpu" else TorchRows(model))
        self.chains: list[Chain] = []
        self.recent = RecentKeysValues(CACHED_BYTES)
        with torch.inference_mode():
            # A constant of the model: every prompt shares it.
            self.unconditional = model.prompt_keys_values(
                None if null_text is None else null_text.to(device), drop=null_text is None
            )

    def start(
        self,
        text: TextEmbeddings | None,
        layout: Layout,
        sources: Sequence[Tensor],
        settings: SamplingSettings,
        *,
        bbox: Tensor | None = None,
        prompt_key: str | None = None,
    ) -> Chain:
        """Begin a sequence: its rows take part in every step from now on.

        text: of one prompt, None where there are no words; sources: int64 codes (n,) of each prefix segment;
        bbox: (3,). `prompt_key` names the text: what was computed for it serves other chains too. The same
        seed, weights and device give the same codes, whatever else is in flight.
        """
        if len(sources) != len(layout.prefix):
            raise ValueError(f"the layout has {len(layout.prefix)} sources, not {len(sources)}")
        chain = Chain(self.model, layout, settings)
        with torch.inference_mode():
            ids = self._prefix_ids(layout, sources)
            contexts, chain.scales = self._contexts(text, ids, settings, bbox, prompt_key)
            self._join(chain, contexts, len(ids))
        return chain

    def advance(self) -> None:
        """Feed every chain in flight its next id; each gains a code, except between two segments."""
        if not self.chains:
            return
        rows, ids, heads = [], [], []
        for chain in self.chains:
            rows += chain.rows
            ids += [chain.fed] * len(chain.rows)
            heads += [chain.head] * len(chain.rows)
        with torch.inference_mode():
            logits = self.decoder.step(rows, ids, heads)
        at = 0
        for chain in tuple(self.chains):
            at += (size := len(chain.rows))
            chain.take(logits[at - size : at])
            if chain.finished:
                self.stop(chain)

    def stop(self, chain: Chain) -> None:
        """Take a chain out of flight, finished or not; again does no harm."""
        if chain in self.chains:
            self.chains.remove(chain)
            for row in chain.rows:
                self.decoder.leave(row)

    def _prefix_ids(self, layout: Layout, sources: Sequence[Tensor]) -> Tensor:
        """(P,) global ids of the source segments."""
        pairs = zip(layout.prefix, sources, strict=True)
        parts = [segment_ids(segment, codes.cpu(), self.model.vocabulary) for segment, codes in pairs]
        return torch.cat(parts) if parts else torch.empty(0, dtype=torch.long)

    def _contexts(
        self,
        text: TextEmbeddings | None,
        ids: Tensor,
        settings: SamplingSettings,
        bbox: Tensor | None,
        prompt_key: str | None,
    ) -> tuple[list[tuple[KeysValues, KeysValues]], list[float]]:
        """Conditioning and prefix of each row guidance needs, and the scale between each and the next."""
        wanted: list[tuple[KeysValues, Hashable, Tensor]] = []
        scales: list[float] = []
        if text is not None:
            words, box = text.to(self.device), None if bbox is None else bbox.to(self.device)
            key = None if prompt_key is None else (prompt_key, None if bbox is None else tuple(bbox.tolist()))
            conditioning = self.recent.get(key, lambda: self.model.prompt_keys_values(words, box))
            wanted.append((conditioning, key, ids))
            scales.append(settings.guidance)
        if len(ids):
            wanted.append((self.unconditional, "unconditional", ids))
            scales.append(settings.source_guidance)
        wanted.append((self.unconditional, "unconditional", ids[:0]))
        while scales and scales[-1] == 0:
            del scales[-1], wanted[-1]
        return [(own, self._prefix(own, key, prefix)) for own, key, prefix in wanted], scales

    def _prefix(self, conditioning: KeysValues, key: Hashable | None, ids: Tensor) -> KeysValues:
        """Keys and values of the sources, read once under one conditioning; `key` names that."""
        if not len(ids):
            return []
        whole = None if key is None else (key, ids.numpy().tobytes())
        return self.recent.get(whole, lambda: self.model.prefill(ids.to(self.device), conditioning))

    def _join(self, chain: Chain, contexts: list[tuple[KeysValues, KeysValues]], prefix: int) -> None:
        taken = {row for other in self.chains for row in other.rows}
        chain.rows = list(islice((row for row in count() if row not in taken), len(contexts)))
        self.decoder.reserve(
            max(*chain.rows, *taken) + 1 if taken else len(chain.rows),
            max(conditioning[0][0].shape[1] for conditioning, _ in contexts),
            prefix + chain.length,
        )
        for row, (conditioning, own) in zip(chain.rows, contexts, strict=True):
            self.decoder.join(row, conditioning, own)
        self.chains.append(chain)
