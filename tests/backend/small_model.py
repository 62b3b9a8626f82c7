"""A whole small model for tests: random transformer, tokenizers whose codes mean a size and a shade."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from backend.checkpoint import ModelInfo
from backend.geometry.canonical import UpAxis
from backend.model.config import TextInput, TransformerConfig
from backend.model.text import CachedTextEncoder, TextEmbeddings
from backend.model.transformer import DualStreamTransformer
from backend.pipeline import Pipeline
from backend.tasks import TASKS

CODES, SHAPE_TOKENS, IMAGE_TOKENS = 32, 6, 4
CONFIG = TransformerConfig(
    n_dual=2,
    n_single=1,
    width=32,
    n_heads=2,
    n_shape_codes=CODES,
    shape_code_dim=4,
    n_shape_tokens=SHAPE_TOKENS,
    n_image_codes=CODES,
    image_code_dim=4,
    n_image_tokens=IMAGE_TOKENS,
    n_views=6,
    text=(TextInput(width=8, tokens=16),),
    use_bbox=True,
)


@dataclass(frozen=True, kw_only=True)
class TokenizerConfig:
    n_tokens: int
    n_codes: int = CODES
    code_dim: int = 4
    up_axis: UpAxis = "z"
    n_points: int = 256
    size: int = 8


class Balls:
    """A ball as large as the mean of its codes; encoding measures the mean radius."""

    config = TokenizerConfig(n_tokens=SHAPE_TOKENS)
    preview_stride = 2

    def encode(self, points: Tensor, normals: Tensor) -> Tensor:
        radius = points.norm(dim=-1).mean(dim=-1, keepdim=True)
        return (
            ((radius - 0.3) / 0.6 * (CODES - 1)).round().long().clamp(0, CODES - 1).expand(-1, SHAPE_TOKENS)
        )

    def decode(self, ids: Tensor) -> Tensor:
        return 0.3 + 0.6 * ids.float().mean(dim=1) / (CODES - 1)

    def decode_prefix(self, ids: Tensor, count: int) -> Tensor:
        return self.decode(ids[:, :count])

    def field(self, latents: Tensor, queries: Tensor) -> Tensor:
        return latents[:, None] - queries.norm(dim=-1)

    def codebook(self) -> Tensor:
        return torch.randn(CODES, 4, generator=torch.Generator().manual_seed(1))


class Shades:
    """A picture of one grey, the mean of its codes."""

    config = TokenizerConfig(n_tokens=IMAGE_TOKENS)

    def encode(self, images: Tensor) -> Tensor:
        shade = (images.mean(dim=(1, 2, 3)) + 1) / 2 * (CODES - 1)
        return shade.round().long()[:, None].expand(-1, IMAGE_TOKENS)

    def decode(self, ids: Tensor) -> Tensor:
        shade = ids.float().mean(dim=1) / (CODES - 1) * 2 - 1
        return shade[:, None, None, None].expand(-1, 3, 8, 8)

    def decode_prefix(self, ids: Tensor, count: int) -> Tensor:
        return self.decode(ids[:, :count])

    def features(self, ids: Tensor) -> Tensor:
        return ids.float()[:, :, None, None]

    def codebook(self) -> Tensor:
        return torch.randn(CODES, 4, generator=torch.Generator().manual_seed(2))


class Letters:
    """A text encoder: one embedding a word, drawn by the word."""

    name, max_tokens, widths, tokens = "letters", 16, (8,), (16,)
    prompts = 0  # encoded so far

    def count_tokens(self, prompt: str) -> int:
        return len(prompt.split())

    def encode(self, prompts: list[str]) -> TextEmbeddings:
        self.prompts += len(prompts)
        part, mask = torch.zeros(len(prompts), 16, 8), torch.zeros(len(prompts), 16, dtype=torch.bool)
        for row, prompt in enumerate(prompts):
            for place, word in enumerate(prompt.split()[:16]):
                seed = sum(word.encode())
                part[row, place] = torch.randn(8, generator=torch.Generator().manual_seed(seed))
                mask[row, place] = True
        return TextEmbeddings((part,), (mask,))


def small_transformer(seed: int = 0) -> DualStreamTransformer:
    torch.manual_seed(seed)
    transformer = DualStreamTransformer(CONFIG)
    for head in (transformer.lm_head, transformer.image_head):
        torch.nn.init.normal_(head.weight, std=0.5)  # logits that differ
    transformer.set_codebooks(Balls().codebook(), Shades().codebook())
    return transformer.eval()


def small_pipeline(
    *, tasks: tuple[str, ...] = tuple(TASKS), images: bool = True, editor: bool = False
) -> Pipeline:
    """Every task of the table, or those named; without images, those that need none.

    editor: edits have a transformer of their own.
    """
    info = ModelInfo(
        preset="small",
        text_encoder="letters",
        licence="none",
        provenance="random",
        tasks=tasks,
        sampling={"guidance": 1.0},
    )
    cpu = torch.device("cpu")
    return Pipeline(
        info,
        small_transformer(),
        Balls(),
        Shades() if images else None,
        CachedTextEncoder(Letters()),
        cpu,
        small_transformer(1) if editor else None,
    )
