"""The transformer's configuration: one frozen dataclass for the paper's model and published Cube3D files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from backend.sequence import VIEWS, Modality, Vocabulary

Embedding = Literal[
    "projected", "learned"
]  # of codes: a projection of the tokenizer's codebook, or free rows
SHAPE_SIZES = ("n_shape_codes", "shape_code_dim", "n_shape_tokens")
IMAGE_SIZES = ("image_code_dim", "n_image_tokens")


@dataclass(frozen=True, kw_only=True)
class TextInput:
    """What one text encoder gives; several are concatenated in the conditioning stream (section 4.1)."""

    width: int  # of its embeddings
    tokens: int  # most embeddings of one prompt


@dataclass(frozen=True, kw_only=True)
class TransformerConfig:
    """Shapes and constants of a `DualStreamTransformer` (Omni123 Table 3, cube3d v0.1 and v0.5)."""

    n_dual: int  # dual-stream layers; the last one's conditioning gives keys and values only
    n_single: int  # single-stream layers after them, on generation tokens alone
    width: int  # model width D
    n_heads: int  # attention heads N; the head dimension is width / n_heads and must be even for RoPE
    mlp_ratio: int = 4  # SwiGLU hidden width = mlp_ratio * width
    bias: bool = True  # biases in every linear except the joint query-key projections and the output head
    eps: float = 1e-6  # of the affine-free LayerNorms (query and key RMSNorm always use 1e-5)
    rope_theta: float = 1000.0  # RoPE base; published Cube3D uses 10000
    token_dropout: float = (
        0.0  # chance that a generation token's embedding is zeroed while training (paper: 0.1)
    )
    n_shape_codes: int  # shape codes; three more rows follow: BOS, EOS, padding
    shape_code_dim: int  # width of one shape codebook row
    n_shape_tokens: int  # tokens of one shape, always exactly this many
    embed_codes: Embedding = "projected"  # of shapes, as published: shape_proj(codebook), or free rows
    n_image_codes: int = 0  # image codes, again with three more rows; 0: the model has no images
    image_code_dim: int = 0  # width of one image codebook row
    n_image_tokens: int = 0  # tokens of one image, always exactly this many; 256 at 256 px, 1,024 at 512 px
    embed_image_codes: Embedding = "projected"
    n_views: int = 0  # view tokens: 6 from continued training on (section 4.5)
    text: tuple[TextInput, ...]  # one for each text encoder, in their order
    causal_text: bool = True  # the conditioning stream is causal too, as in published Cube3D
    learned_null_text: bool = (
        True  # a learned null sequence replaces dropped text; published: the empty prompt
    )
    use_bbox: bool = False  # one more conditioning token, the bounding box's three sides (published v0.5)

    def __post_init__(self) -> None:
        for name in ("n_dual", "width", "n_heads", "mlp_ratio", *SHAPE_SIZES):
            _require(getattr(self, name) >= 1, name, getattr(self, name), "at least 1")
        least = 1 if self.n_image_codes else 0
        for name in ("n_single", "n_image_codes", "n_views", *IMAGE_SIZES):
            needed = least if name in IMAGE_SIZES else 0
            _require(getattr(self, name) >= needed, name, getattr(self, name), f"at least {needed}")
        _require(self.n_views <= len(VIEWS), "n_views", self.n_views, f"at most {len(VIEWS)}")
        _require(not self.n_views or bool(least), "n_views", self.n_views, "0 without images")
        _require(bool(self.text), "text", self.text, "at least one encoder's")
        for text in self.text:
            _require(text.width >= 1 and text.tokens >= 1, "text", text, "of width and tokens at least 1")
        _require(
            self.width % self.n_heads == 0, "width", self.width, f"a multiple of n_heads = {self.n_heads}"
        )
        _require(self.head_dim % 2 == 0, "head dimension", self.head_dim, "even")
        _require(self.eps > 0, "eps", self.eps, "positive")
        _require(self.rope_theta > 1, "rope_theta", self.rope_theta, "above 1")
        _require(0 <= self.token_dropout < 1, "token_dropout", self.token_dropout, "in [0, 1)")
        for name in ("embed_codes", "embed_image_codes"):
            value = getattr(self, name)
            _require(value in get_args(Embedding), name, value, " or ".join(get_args(Embedding)))

    @property
    def head_dim(self) -> int:
        return self.width // self.n_heads

    @property
    def text_tokens(self) -> int:
        """Most embeddings of one prompt, all encoders together."""
        return sum(text.tokens for text in self.text)

    @property
    def vocabulary(self) -> Vocabulary:
        return Vocabulary(
            n_shape_codes=self.n_shape_codes, n_image_codes=self.n_image_codes, n_views=self.n_views
        )

    @property
    def lengths(self) -> dict[Modality, int]:
        """Codes of one shape and of one image."""
        return {"shape": self.n_shape_tokens, "image": self.n_image_tokens}


def _require(holds: bool, name: str, value: object, wanted: str) -> None:
    if not holds:
        raise ValueError(f"transformer config: {name} = {value!r} must be {wanted}")
