"""ULIP-2's Point-BERT (Xue et al. 2024): points, coloured or not, to CLIP ViT-bigG's space of 1,280.

Sizes follow from the tensors; heads are of 64, patches 512 of 32 points, as published. G patches, W width.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.evaluation.scorers.patches import PatchEncoder, group, place_embedding

HEAD = 64
MARK = "point_encoder.reduce_dim.weight"  # a tensor that no other published encoder has


class _Attention(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).unflatten(-1, (3, -1, HEAD)).permute(2, 0, 3, 1, 4)
        out: Tensor = self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        return out


class _Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn = _Attention(width)
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(width, 4 * width), "fc2": nn.Linear(4 * width, width)})

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x))
        out: Tensor = x + self.mlp["fc2"](F.gelu(self.mlp["fc1"](self.norm2(x))))
        return out


class PointBert(nn.Module):
    """The point encoder under its published names."""

    def __init__(self, *, channels: int, patch_width: int, width: int, depth: int) -> None:
        super().__init__()
        self.encoder = PatchEncoder(channels, patch_width)
        self.reduce_dim = nn.Linear(patch_width, width)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.cls_pos = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = place_embedding(width)
        self.blocks = nn.ModuleDict({"blocks": nn.ModuleList(_Block(width) for _ in range(depth))})
        self.norm = nn.LayerNorm(width)

    def forward(self, centres: Tensor, patches: Tensor) -> Tensor:
        """(B, 2 W): the class token and the greatest of the patches."""
        tokens = self.reduce_dim(self.encoder(patches))
        first = self.cls_token.expand(len(tokens), -1, -1)
        x = torch.cat([first, tokens], dim=1)
        places = torch.cat([self.cls_pos.expand(len(tokens), -1, -1), self.pos_embed(centres)], dim=1)
        blocks = self.blocks["blocks"]
        assert isinstance(blocks, nn.ModuleList)
        for block in blocks:
            x = block(x + places)  # places are added before every block
        x = self.norm(x)
        return torch.cat([x[:, 0], x[:, 1:].amax(dim=1)], dim=-1)


class Ulip2(nn.Module):
    """Point encoder and projection."""

    name = "ULIP-T"
    patches, patch_size = 512, 32

    def __init__(self, *, channels: int, patch_width: int, width: int, depth: int, embedding: int) -> None:
        super().__init__()
        self.channels = channels
        self.point_encoder = PointBert(channels=channels, patch_width=patch_width, width=width, depth=depth)
        self.pc_projection = nn.Parameter(torch.zeros(2 * width, embedding))

    def forward(self, points: Tensor, colors: Tensor) -> Tensor:
        """points (B, P, 3), Y up, normalised; colors (B, P, 3) from 0 to 1, unread by plain weights."""
        features = colors if self.channels == 6 else colors[..., :0]
        centres, patches = group(points, features, self.patches, self.patch_size)
        out: Tensor = self.point_encoder(centres, patches) @ self.pc_projection
        return out


def from_tensors(tensors: Mapping[str, Tensor]) -> Ulip2:
    """The encoder of a published checkpoint. ValueError naming tensors that are missing."""
    reduce, first = tensors[MARK], tensors["point_encoder.encoder.first_conv.0.weight"]
    depth = len({name.split(".")[3] for name in tensors if name.startswith("point_encoder.blocks.blocks.")})
    model = Ulip2(
        channels=first.shape[1],
        patch_width=reduce.shape[1],
        width=reduce.shape[0],
        depth=depth,
        embedding=tensors["pc_projection"].shape[1],
    )
    filled(model, tensors, "ULIP-2")
    return model


def filled(model: nn.Module, tensors: Mapping[str, Tensor], what: str) -> None:
    """Loads the model's own tensors; a checkpoint's others, such as a text tower's, are left alone."""
    own = model.state_dict()
    # How many batches a norm has seen matters to training alone, and some conversions leave it out.
    missing = [name for name in own if name not in tensors and not name.endswith("num_batches_tracked")]
    if missing:
        raise ValueError(f"this is no {what} checkpoint: it lacks {', '.join(missing[:4])}")
    shapes = {name: tuple(own[name].shape) for name in own if name in tensors}
    if wrong := [name for name, shape in shapes.items() if tuple(tensors[name].shape) != shape]:
        raise ValueError(f"{wrong[0]} is {tuple(tensors[wrong[0]].shape)}, not {shapes[wrong[0]]}")
    model.load_state_dict({name: tensors.get(name, own[name]).float() for name in own})
    model.eval().requires_grad_(False)
