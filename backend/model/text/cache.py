"""A text encoder that remembers: a repeated prompt, the empty one of guidance included, costs nothing."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from backend.model.text.embeddings import TextEmbeddings, TextEncoder, stacked

CACHED_PROMPTS = 256


class CachedTextEncoder:
    """Another encoder's embeddings, those of the most recent prompts kept."""

    def __init__(self, encoder: TextEncoder, prompts: int = CACHED_PROMPTS) -> None:
        self.encoder, self.prompts = encoder, prompts
        self.recent: OrderedDict[str, TextEmbeddings] = OrderedDict()

    @property
    def name(self) -> str:
        return self.encoder.name

    @property
    def max_tokens(self) -> int:
        return self.encoder.max_tokens

    @property
    def widths(self) -> tuple[int, ...]:
        return self.encoder.widths

    @property
    def tokens(self) -> tuple[int, ...]:
        return self.encoder.tokens

    def count_tokens(self, prompt: str) -> int:
        return self.encoder.count_tokens(prompt)

    def encode(self, prompts: Sequence[str]) -> TextEmbeddings:
        fresh = [prompt for prompt in dict.fromkeys(prompts) if prompt not in self.recent]
        if fresh:
            made = self.encoder.encode(fresh)
            # Rows of their own: a kept slice would keep the whole batch.
            self.recent.update({prompt: stacked([made.row(index)]) for index, prompt in enumerate(fresh)})
        rows = [self.recent[prompt] for prompt in prompts]
        for prompt in prompts:
            self.recent.move_to_end(prompt)
        while len(self.recent) > self.prompts:
            self.recent.popitem(last=False)
        return stacked(rows)
