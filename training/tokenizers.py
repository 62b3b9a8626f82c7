"""The tokenizers that a stage's tokens come from, and the codebooks that its transformer projects."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from torch import Tensor

from backend.image_tokenizer.interface import ImageTokenizer
from backend.model.config import TransformerConfig
from backend.sequence import Modality
from backend.shape_tokenizer.interface import ShapeTokenizer
from training.data.shards.tokens import weights_hash
from training.image_tokenizer import trained_image_tokenizer
from training.shape_tokenizer import trained_tokenizer


@dataclass(frozen=True, kw_only=True)
class Tokenizers:
    """What made the tokens of a data set; a model without pictures needs no image tokenizer."""

    shape: ShapeTokenizer
    image: ImageTokenizer | None = None

    @cached_property
    def hashes(self) -> dict[Modality, str]:
        """Of their weights, as token shards name them."""
        made: dict[Modality, Any] = {"shape": self.shape, "image": self.image}
        return {modality: weights_hash(own) for modality, own in made.items() if own is not None}

    def codebooks(self, config: TransformerConfig) -> tuple[Tensor | None, Tensor | None]:
        """As a transformer's `set_codebooks` takes them. Raises ValueError for tokens of other lengths."""
        lengths: dict[Modality, int] = {"shape": self.shape.config.n_tokens}
        if self.image is not None and config.n_image_codes:
            lengths["image"] = self.image.config.n_tokens
        for modality, length in lengths.items():
            if length != config.lengths[modality]:
                raise ValueError(
                    f"the {modality} tokenizer makes {length} tokens, not {config.lengths[modality]}"
                )
        shape = self.shape.codebook() if config.embed_codes == "projected" else None
        if not config.n_image_codes or config.embed_image_codes == "learned":
            return shape, None
        if self.image is None:
            raise ValueError("this stage needs an image tokenizer")
        return shape, self.image.codebook()


def trained_tokenizers(shape_run: Path, image_run: Path | None) -> Tokenizers:
    """Of these runs. Raises ValueError where one has no checkpoint."""
    image = None if image_run is None else trained_image_tokenizer(image_run)
    return Tokenizers(shape=trained_tokenizer(shape_run), image=image)
