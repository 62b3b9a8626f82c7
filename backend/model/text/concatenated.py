"""Several text encoders side by side, as Omni123 has CLIP and Qwen3 (section 4.1)."""

from __future__ import annotations

from collections.abc import Sequence

from backend.model.text.embeddings import TextEmbeddings, TextEncoder


class ConcatenatedTextEncoder:
    """The parts of all encoders, in their order.

    A prompt must fit each of them. Their tokens differ, so lengths are told in those of the tightest encoder.
    """

    def __init__(self, encoders: Sequence[TextEncoder]) -> None:
        self.encoders = tuple(encoders)
        self.name = "+".join(encoder.name for encoder in encoders)
        self.max_tokens = min(encoder.max_tokens for encoder in encoders)
        self.widths = tuple(width for encoder in encoders for width in encoder.widths)
        self.tokens = tuple(tokens for encoder in encoders for tokens in encoder.tokens)

    def count_tokens(self, prompt: str) -> int:
        """`max_tokens` and the largest excess over any encoder's own limit, or less what is still free."""
        over = (encoder.count_tokens(prompt) - encoder.max_tokens for encoder in self.encoders)
        return self.max_tokens + max(over)

    def encode(self, prompts: Sequence[str]) -> TextEmbeddings:
        made = [encoder.encode(prompts) for encoder in self.encoders]
        return TextEmbeddings(
            tuple(part for text in made for part in text.parts),
            tuple(mask for text in made for mask in text.masks),
        )
