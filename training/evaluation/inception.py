"""The Inception v3 behind FID, for the published weights, and the Frechet distance of its features.

Weights are those of pt_inception-2015-12-05-6726825d.pth (the TensorFlow network of the original FID), as
safetensors under the same names: load the file with torch.load(..., weights_only=True), keep its tensors and
write them with safetensors.torch.save_file. Szegedy et al. 2016; Heusel et al. 2017.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

SIDE, FEATURES = 299, 2048
_AT_ONCE = 16
Pooling = Literal["average", "maximum"]
Kernel = tuple[int, int]
# Of a branch's convolutions: channels out, kernel and stride; padding keeps the size where the stride is 1.
Spec = tuple[int, Kernel, int]
Paths = tuple[tuple[str, ...], ...]


class Convolution(nn.Module):
    """Convolution, normalisation and a rectifier."""

    def __init__(
        self, channels: int, out: int, kernel: Kernel, stride: int, padding: Kernel | None = None
    ) -> None:
        super().__init__()
        same = (kernel[0] // 2, kernel[1] // 2) if stride == 1 else (0, 0)
        pads = same if padding is None else padding
        self.conv = nn.Conv2d(channels, out, kernel, stride, pads, bias=False)
        self.bn = nn.BatchNorm2d(out, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = F.relu(self.bn(self.conv(x)))
        return out


class Mixed(nn.Module):
    """Branches side by side. A branch is a path of convolutions; `pool` stands for pooling at that place.

    The network was trained where borders do not count in averages, and pools its last block by the maximum.
    """

    def __init__(self, channels: int, specs: Mapping[str, Spec], paths: Paths, pooling: Pooling) -> None:
        super().__init__()
        self.paths, self.pooling, self._shrinks = paths, pooling, any(s[2] > 1 for s in specs.values())
        self.channels = 0  # out
        for path in paths:
            width = channels
            for name in path:
                if name != "pool":
                    out, kernel, stride = specs[name]
                    if not hasattr(self, name):
                        self.add_module(name, Convolution(width, out, kernel, stride))
                    width = out
            self.channels += width

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self._branch(path, x) for path in self.paths], dim=1)

    def _branch(self, path: tuple[str, ...], x: Tensor) -> Tensor:
        for name in path:
            x = self._pooled(x) if name == "pool" else self.get_submodule(name)(x)
        return x

    def _pooled(self, x: Tensor) -> Tensor:
        if self._shrinks:
            return F.max_pool2d(x, 3, 2)
        if self.pooling == "maximum":
            return F.max_pool2d(x, 3, 1, 1)
        return F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)


_ONE, _THREE, _FIVE, _WIDE, _TALL = (1, 1), (3, 3), (5, 5), (1, 7), (7, 1)


def _block_a(channels: int, pooled: int) -> Mixed:
    specs: dict[str, Spec] = {
        "branch1x1": (64, _ONE, 1),
        "branch5x5_1": (48, _ONE, 1),
        "branch5x5_2": (64, _FIVE, 1),
        "branch3x3dbl_1": (64, _ONE, 1),
        "branch3x3dbl_2": (96, _THREE, 1),
        "branch3x3dbl_3": (96, _THREE, 1),
        "branch_pool": (pooled, _ONE, 1),
    }
    five, double = ("branch5x5_1", "branch5x5_2"), _numbered("branch3x3dbl", 3)
    return Mixed(channels, specs, (("branch1x1",), five, double, ("pool", "branch_pool")), "average")


def _block_b(channels: int) -> Mixed:
    specs: dict[str, Spec] = {
        "branch3x3": (384, _THREE, 2),
        "branch3x3dbl_1": (64, _ONE, 1),
        "branch3x3dbl_2": (96, _THREE, 1),
        "branch3x3dbl_3": (96, _THREE, 2),
    }
    return Mixed(channels, specs, (("branch3x3",), _numbered("branch3x3dbl", 3), ("pool",)), "maximum")


def _block_c(channels: int, narrow: int) -> Mixed:
    kernels = (_ONE, _TALL, _WIDE, _TALL, _WIDE)
    specs: dict[str, Spec] = {
        "branch1x1": (192, _ONE, 1),
        "branch7x7_1": (narrow, _ONE, 1),
        "branch7x7_2": (narrow, _WIDE, 1),
        "branch7x7_3": (192, _TALL, 1),
        "branch_pool": (192, _ONE, 1),
    }
    for number, kernel in enumerate(kernels, 1):
        specs[f"branch7x7dbl_{number}"] = (192 if number == len(kernels) else narrow, kernel, 1)
    paths = (("branch1x1",), _numbered("branch7x7", 3), _numbered("branch7x7dbl", 5), ("pool", "branch_pool"))
    return Mixed(channels, specs, paths, "average")


def _block_d(channels: int) -> Mixed:
    specs: dict[str, Spec] = {
        "branch3x3_1": (192, _ONE, 1),
        "branch3x3_2": (320, _THREE, 2),
        "branch7x7x3_1": (192, _ONE, 1),
        "branch7x7x3_2": (192, _WIDE, 1),
        "branch7x7x3_3": (192, _TALL, 1),
        "branch7x7x3_4": (192, _THREE, 2),
    }
    paths = (_numbered("branch3x3", 2), _numbered("branch7x7x3", 4), ("pool",))
    return Mixed(channels, specs, paths, "maximum")


def _block_e(channels: int, pooling: Pooling) -> Mixed:
    specs: dict[str, Spec] = {
        "branch1x1": (320, _ONE, 1),
        "branch3x3_1": (384, _ONE, 1),
        "branch3x3_2a": (384, (1, 3), 1),
        "branch3x3_2b": (384, (3, 1), 1),
        "branch3x3dbl_1": (448, _ONE, 1),
        "branch3x3dbl_2": (384, _THREE, 1),
        "branch3x3dbl_3a": (384, (1, 3), 1),
        "branch3x3dbl_3b": (384, (3, 1), 1),
        "branch_pool": (192, _ONE, 1),
    }
    double = _numbered("branch3x3dbl", 2)
    paths: Paths = (
        ("branch1x1",),
        *(("branch3x3_1", f"branch3x3_2{side}") for side in "ab"),
        *((*double, f"branch3x3dbl_3{side}") for side in "ab"),
        ("pool", "branch_pool"),
    )
    return Mixed(channels, specs, paths, pooling)


def _numbered(name: str, count: int) -> tuple[str, ...]:
    return tuple(f"{name}_{number}" for number in range(1, count + 1))


class Inception(nn.Module):
    """Pictures (B, 3, h, w) in [-1, 1] to features (B, 2048)."""

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = Convolution(3, 32, _THREE, 2)
        self.Conv2d_2a_3x3 = Convolution(32, 32, _THREE, 1, (0, 0))
        self.Conv2d_2b_3x3 = Convolution(32, 64, _THREE, 1)
        self.Conv2d_3b_1x1 = Convolution(64, 80, _ONE, 1)
        self.Conv2d_4a_3x3 = Convolution(80, 192, _THREE, 1, (0, 0))
        self._blocks: list[str] = []
        for name, block in _blocks(192):
            self.add_module(name, block)
            self._blocks.append(name)

    def forward(self, images: Tensor) -> Tensor:
        x = F.interpolate(images, (SIDE, SIDE), mode="bilinear", align_corners=False)
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))
        x = F.max_pool2d(x, 3, 2)
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(x))
        x = F.max_pool2d(x, 3, 2)
        for name in self._blocks:
            x = self.get_submodule(name)(x)
        return x.mean(dim=(2, 3))


def _blocks(channels: int) -> Iterator[tuple[str, Mixed]]:
    makers: tuple[tuple[str, Callable[[int], Mixed]], ...] = (
        ("Mixed_5b", partial(_block_a, pooled=32)),
        ("Mixed_5c", partial(_block_a, pooled=64)),
        ("Mixed_5d", partial(_block_a, pooled=64)),
        ("Mixed_6a", _block_b),
        ("Mixed_6b", partial(_block_c, narrow=128)),
        ("Mixed_6c", partial(_block_c, narrow=160)),
        ("Mixed_6d", partial(_block_c, narrow=160)),
        ("Mixed_6e", partial(_block_c, narrow=192)),
        ("Mixed_7a", _block_d),
        ("Mixed_7b", partial(_block_e, pooling="average")),
        ("Mixed_7c", partial(_block_e, pooling="maximum")),
    )
    for name, maker in makers:
        block = maker(channels)
        channels = block.channels
        yield name, block


def load_inception(path: Path) -> Inception:
    """Raises ValueError for a file that does not hold these weights."""
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path} holds no Inception weights as safetensors ({error})") from error
    ours = {name: t for name, t in tensors.items() if not name.startswith(("fc.", "AuxLogits."))}
    with torch.device("meta"):
        model = Inception()
    wanted = model.state_dict()
    counters = {name for name in wanted if name.endswith("num_batches_tracked")}
    odd = sorted((ours.keys() ^ wanted.keys()) - counters)
    if odd:
        raise ValueError(f"{path} is not FID's Inception: {len(odd)} tensors differ, such as {odd[0]}")
    zeros = {name: torch.zeros((), dtype=torch.long) for name in counters}
    model.load_state_dict({**zeros, **ours}, assign=True)
    return model.eval()


@dataclass(frozen=True, kw_only=True)
class Statistics:
    """Of the features of n pictures."""

    count: int
    mean: NDArray[np.float64]  # (FEATURES,)
    covariance: NDArray[np.float64]  # (FEATURES, FEATURES)


def statistics(features: NDArray[np.float64]) -> Statistics:
    """Of (n, FEATURES), n at least 2."""
    if len(features) < 2:
        raise ValueError(f"a covariance needs two pictures or more, not {len(features)}")
    return Statistics(
        count=len(features),
        mean=features.mean(axis=0),
        covariance=np.atleast_2d(np.cov(features, rowvar=False)),
    )


@torch.inference_mode()
def features(model: Inception, images: Tensor) -> NDArray[np.float64]:
    """(n, FEATURES) of pictures (n, 3, h, w) in [-1, 1]."""
    return torch.cat([model(part) for part in torch.split(images, _AT_ONCE)]).double().numpy()


def frechet(a: Statistics, b: Statistics) -> float:
    """|mean a - mean b|^2 + tr(A + B - 2 (A^1/2 B A^1/2)^1/2); zero for equal ones."""
    root = _root(a.covariance)
    cross = np.linalg.eigvalsh(root @ b.covariance @ root)
    trace = np.trace(a.covariance) + np.trace(b.covariance) - 2 * np.sqrt(cross.clip(min=0)).sum()
    return float(np.square(a.mean - b.mean).sum() + trace)


def _root(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    values, vectors = np.linalg.eigh(matrix)
    root: NDArray[np.float64] = (vectors * np.sqrt(values.clip(min=0))) @ vectors.T
    return root
