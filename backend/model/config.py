"""The transformer's configuration: one frozen dataclass for the paper's model and published Cube3D files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


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
    n_shape_codes: int  # V, shape codes; three more rows follow: BOS, EOS, padding
    shape_code_dim: int  # width of one shape codebook row
    n_shape_tokens: int  # tokens of one shape, always exactly this many
    embed_codes: Literal["projected", "learned"] = (
        "projected"  # shape embedding: shape_proj(codebook), or free rows
    )
    text_width: int  # width of the text encoder's embeddings
    text_tokens: int  # most text embeddings of one prompt
    causal_text: bool = True  # the conditioning stream is causal too, as in published Cube3D
    learned_null_text: bool = (
        True  # a learned null sequence replaces dropped text; published: the empty prompt
    )
    use_bbox: bool = False  # one more conditioning token, the bounding box's three sides (published v0.5)

    def __post_init__(self) -> None:
        for name in ("n_dual", "width", "n_heads", "mlp_ratio", "n_shape_codes", "shape_code_dim"):
            _require(getattr(self, name) >= 1, name, getattr(self, name), "at least 1")
        for name in ("n_shape_tokens", "text_width", "text_tokens"):
            _require(getattr(self, name) >= 1, name, getattr(self, name), "at least 1")
        _require(self.n_single >= 0, "n_single", self.n_single, "at least 0")
        _require(
            self.width % self.n_heads == 0, "width", self.width, f"a multiple of n_heads = {self.n_heads}"
        )
        _require(self.head_dim % 2 == 0, "head dimension", self.head_dim, "even")
        _require(self.eps > 0, "eps", self.eps, "positive")
        _require(self.rope_theta > 1, "rope_theta", self.rope_theta, "above 1")
        _require(0 <= self.token_dropout < 1, "token_dropout", self.token_dropout, "in [0, 1)")
        _require(
            self.embed_codes in ("projected", "learned"),
            "embed_codes",
            self.embed_codes,
            "projected or learned",
        )

    @property
    def head_dim(self) -> int:
        return self.width // self.n_heads

    @property
    def vocabulary(self) -> int:
        """Rows of the embedding table and of the output head: the codes, then BOS, EOS and padding."""
        return self.n_shape_codes + 3

    @property
    def bos(self) -> int:
        """The id that starts a shape."""
        return self.n_shape_codes


def _require(holds: bool, name: str, value: object, wanted: str) -> None:
    if not holds:
        raise ValueError(f"transformer config: {name} = {value!r} must be {wanted}")
