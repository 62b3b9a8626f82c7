"""Published judges from a folder: ULIP-T and Uni3D-T, as the paper reports them (section 6).

The folder holds `points.safetensors` (the point encoder's checkpoint), `text.safetensors` (OpenCLIP's text
tower or whole model) and CLIP's `tokenizer.json`. Checkpoints published as pickles are converted once, by
whoever trusts their source:

  state = torch.load("checkpoint.pt", map_location="cpu", weights_only=True)
  state = state.get("state_dict", state.get("module", state))
  save_file({k.removeprefix("module."): v.contiguous() for k, v in state.items()}, "points.safetensors")
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from backend.geometry.canonical import turn
from training.evaluation.scorers import ulip2, uni3d
from training.evaluation.scorers.interface import Cloud
from training.evaluation.scorers.openclip import OpenClipText
from training.evaluation.scorers.patches import normalised

GREY = 0.4  # of points without colour, as both encoders saw them in training
_KINDS: dict[str, Callable[[Mapping[str, Tensor]], ulip2.Ulip2 | uni3d.Uni3D]] = {
    ulip2.MARK: ulip2.from_tensors,
    uni3d.MARK: uni3d.from_tensors,
}


class PublishedScorer:
    """A published point encoder with its text tower, as a `Scorer`."""

    def __init__(self, points: ulip2.Ulip2 | uni3d.Uni3D, text: OpenClipText) -> None:
        self.points, self.text = points, text
        self.name = points.name

    def texts(self, prompts: Sequence[str]) -> Tensor:
        return self.text.encode(prompts)

    @torch.no_grad()
    def shapes(self, clouds: Sequence[Cloud]) -> Tensor:
        rows = [self.points(normalised(_points(cloud)), _colors(cloud)) for cloud in clouds]
        return F.normalize(torch.cat(rows), dim=-1)


def _points(cloud: Cloud) -> Tensor:
    """(1, P, 3), Y up."""
    return torch.from_numpy(turn(cloud.points, "z", "y").astype(np.float32))[None]


def _colors(cloud: Cloud) -> Tensor:
    """(1, P, 3) from 0 to 1."""
    if cloud.colors is None:
        return torch.full((1, len(cloud.points), 3), GREY)
    return torch.from_numpy(cloud.colors[:, :3].astype(np.float32) / 255)[None]


def load(folder: Path) -> PublishedScorer:
    """The judge of a folder. Raises ValueError with what is missing."""
    tensors = {
        name.removeprefix("module."): value for name, value in _tensors(folder / "points.safetensors").items()
    }
    kind = next((make for mark, make in _KINDS.items() if mark in tensors), None)
    if kind is None:
        raise ValueError(f"{folder / 'points.safetensors'} is of neither ULIP-2 (Point-BERT) nor Uni3D")
    scorer = PublishedScorer(
        kind(tensors), OpenClipText(_tensors(folder / "text.safetensors"), folder / "tokenizer.json")
    )
    words, shapes = scorer.texts(["a"]).shape[1], _width(scorer.points)
    if words != shapes:
        raise ValueError(f"{folder}: {words} dimensions of words, {shapes} of shapes; wrong text tower")
    return scorer


def _width(points: ulip2.Ulip2 | uni3d.Uni3D) -> int:
    if isinstance(points, ulip2.Ulip2):
        return points.pc_projection.shape[1]
    return points.point_encoder.trans2embed.out_features


def _tensors(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise ValueError(f"{path} is missing; convert the published checkpoint to safetensors first")
    try:
        return load_file(path)
    except SafetensorError as error:
        raise ValueError(f"{path} is no safetensors file ({error})") from error
