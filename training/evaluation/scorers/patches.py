"""Patches of a point cloud as tokens: what ULIP-2's Point-BERT and Uni3D both begin with.

Centres by farthest-point sampling, each with its nearest points, each patch through a small PointNet (Yu et
al. 2022, Point-BERT, section 3.1). Tensor names are the published ones.
B clouds, P points, G patches, K points of a patch, C channels of a point.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def farthest(points: Tensor, count: int) -> Tensor:
    """Indices (B, count) of points (B, P, 3) far from each other, beginning with the first."""
    B, P, _ = points.shape
    if count > P:
        raise ValueError(f"{count} patches need as many points, not {P}")
    nearest = points.new_full((B, P), torch.inf)
    chosen = torch.zeros(B, count, dtype=torch.long)
    rows = torch.arange(B)
    for step in range(1, count):
        last = points[rows, chosen[:, step - 1]][:, None]
        nearest = torch.minimum(nearest, (points - last).square().sum(dim=-1))
        chosen[:, step] = nearest.argmax(dim=1)
    return chosen


def group(points: Tensor, features: Tensor, patches: int, size: int) -> tuple[Tensor, Tensor]:
    """Centres (B, G, 3), and patches (B, G, K, C): points near each, relative to it, with their features.

    points: (B, P, 3); features: (B, P, C - 3).
    """
    rows = torch.arange(len(points))[:, None]
    centres = points[rows, farthest(points, patches)]
    index = torch.cdist(centres, points).topk(size, dim=-1, largest=False).indices  # (B, G, K)
    near = points[rows[..., None], index] - centres[:, :, None]
    return centres, torch.cat([near, features[rows[..., None], index]], dim=-1)


class PatchEncoder(nn.Module):
    """Points of each patch (B, G, K, C) to one token (B, G, width)."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.first_conv = nn.Sequential(
            nn.Conv1d(channels, 128, 1), nn.BatchNorm1d(128), nn.ReLU(), nn.Conv1d(128, 256, 1)
        )
        self.second_conv = nn.Sequential(
            nn.Conv1d(512, 512, 1), nn.BatchNorm1d(512), nn.ReLU(), nn.Conv1d(512, width, 1)
        )

    def forward(self, patches: Tensor) -> Tensor:
        B, G, K, _ = patches.shape
        each = self.first_conv(patches.flatten(0, 1).transpose(1, 2))  # (B * G, 256, K)
        whole = each.amax(dim=2, keepdim=True).expand(-1, -1, K)
        tokens: Tensor = self.second_conv(torch.cat([whole, each], dim=1)).amax(dim=2)
        return tokens.view(B, G, -1)


def place_embedding(width: int) -> nn.Sequential:
    """Centres (B, G, 3) to (B, G, width)."""
    return nn.Sequential(nn.Linear(3, 128), nn.GELU(), nn.Linear(128, width))


def normalised(points: Tensor) -> Tensor:
    """Points (B, P, 3) about their mean, the farthest at distance 1: what both were trained on."""
    centred = points - points.mean(dim=1, keepdim=True)
    scaled: Tensor = centred / centred.norm(dim=-1).amax(dim=1)[:, None, None]
    return scaled
