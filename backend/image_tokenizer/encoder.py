"""Representation encoders: shallow features that hold texture, deep ones that hold meaning (Figure 4).

The paper's is DINOv3-L; `mini` has a small one of our own trained from scratch. Both cut images into patches
of 16 pixels. B batch, T patches in reading order, W width.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from backend.failures import WeightsError
from backend.image_tokenizer.residual import start_still
from backend.shape_tokenizer.attention import SelfAttentionBlock

PATCH = 16  # pixels along each side of a patch
_STRIDE = 4  # of each half of the small encoder's stem; 4 x 4 = PATCH
# What DINOv3 was trained on, of RGB in [0, 1].
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True, kw_only=True)
class EncoderConfig:
    """Sizes of a representation encoder; the defaults are those of DINOv3-L (paper section 4.3)."""

    kind: Literal["dinov3", "small"] = "dinov3"
    width: int = 1024
    n_layers: int = 24
    n_heads: int = 16
    n_registers: int = 4  # DINOv3's register tokens
    stem_width: int = 0  # channels of the small encoder's convolutions
    shallow: tuple[int, ...] = (2, 5)  # number of layers passed where texture is taken (not in the paper)

    def __post_init__(self) -> None:
        object.__setattr__(self, "shallow", tuple(self.shallow))
        if not self.shallow or not all(0 <= layer < self.n_layers for layer in self.shallow):
            raise ValueError(f"texture is taken after layers 0 to {self.n_layers - 1}, not {self.shallow}")
        if self.width % self.n_heads:
            raise ValueError(f"width {self.width} does not divide into {self.n_heads} heads")
        if self.kind == "small" and self.stem_width < 1:
            raise ValueError(f"the small encoder needs a stem_width, not {self.stem_width}")


class SmallEncoder(nn.Module):
    """Two strided convolutions and a few attention blocks, learned with the VAE."""

    def __init__(self, config: EncoderConfig, size: int) -> None:
        super().__init__()
        self.shallow = config.shallow
        self.stem = nn.Conv2d(3, config.stem_width, _STRIDE, _STRIDE)
        self.mix = nn.Conv2d(config.stem_width, config.stem_width, 3, padding=1)
        self.patches = nn.Conv2d(config.stem_width, config.width, _STRIDE, _STRIDE)
        self.positions = nn.Parameter(torch.randn((size // PATCH) ** 2, config.width) * 0.02)
        self.blocks = nn.ModuleList(
            SelfAttentionBlock(config.width, config.n_heads, 1e-6) for _ in range(config.n_layers)
        )
        self.norm = nn.LayerNorm(config.width)
        start_still(self.blocks)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Images (B, 3, h, w) in [-1, 1] to texture (B, T, W * shallow layers) and semantics (B, T, W)."""
        x = nn.functional.gelu(self.stem(images))
        x = x + nn.functional.gelu(self.mix(x))
        x = self.patches(x).flatten(2).transpose(1, 2) + self.positions
        seen = []
        for layer, block in enumerate(self.blocks):
            if layer in self.shallow:
                seen.append(x)
            x = block(x)
        return torch.cat(seen, dim=-1), self.norm(x)


class DinoEncoder(nn.Module):
    """The real DINOv3 ViT of `transformers`, its tensors under their published names below `vit`."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        from transformers import DINOv3ViTConfig, DINOv3ViTModel
        from transformers.models.dinov3_vit.modeling_dinov3_vit import DINOv3ViTRopePositionEmbedding

        self.shallow, self.special = config.shallow, 1 + config.n_registers
        settings = DINOv3ViTConfig(
            patch_size=PATCH,
            hidden_size=config.width,
            intermediate_size=4 * config.width,
            num_hidden_layers=config.n_layers,
            num_attention_heads=config.n_heads,
            num_register_tokens=config.n_registers,
        )
        self.vit = DINOv3ViTModel(settings)
        # Its frequencies are in no checkpoint, so a model built on meta must compute them all the same.
        with torch.device("cpu"):
            self.vit.rope_embeddings = DINOv3ViTRopePositionEmbedding(settings)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Images (B, 3, h, w) in [-1, 1] to texture (B, T, W * shallow layers) and semantics (B, T, W)."""
        mean, std = (images.new_tensor(row)[:, None, None] for row in (_MEAN, _STD))
        out = self.vit(((images + 1) / 2 - mean) / std, output_hidden_states=True)
        seen = [out.hidden_states[layer][:, self.special :] for layer in self.shallow]
        return torch.cat(seen, dim=-1), out.last_hidden_state[:, self.special :]


def representation_encoder(config: EncoderConfig, size: int) -> SmallEncoder | DinoEncoder:
    """The encoder a configuration names, for images of `size` pixels a side."""
    return DinoEncoder(config) if config.kind == "dinov3" else SmallEncoder(config, size)


def load_dinov3(encoder: DinoEncoder, source: str) -> None:
    """Pretrained DINOv3 weights from a local folder (config.json, model.safetensors) or a hub id.

    Raises WeightsError when there are none, or when they are of another size than `encoder`.
    """
    from transformers import DINOv3ViTModel

    try:
        published = DINOv3ViTModel.from_pretrained(source, use_safetensors=True)
    except (OSError, ValueError) as error:
        raise WeightsError(f"{source} holds no DINOv3 weights that can be read ({error}).") from error
    ours, theirs = encoder.vit.config, published.config
    names = ["patch_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads"]
    names += ["num_register_tokens", "use_gated_mlp", "rope_theta", "layer_norm_eps"]
    if differing := [name for name in names if getattr(ours, name) != getattr(theirs, name)]:
        told = ", ".join(f"{name} {getattr(theirs, name)} for {getattr(ours, name)}" for name in differing)
        raise WeightsError(f"{source} is another DINOv3 than the configuration asks for: it has {told}.")
    encoder.vit.load_state_dict(published.state_dict())
