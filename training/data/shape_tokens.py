"""Token ids of captioned shapes: what the transformer is trained on.

One safetensors file per set: ids (S, n_tokens) uint16, and in its metadata the captions, sources and the hash
of the tokenizer that made them, so that stale tokens are refused.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save_file
from torch import nn
from tqdm import tqdm

from backend.shape_tokenizer.interface import ShapeTokenizer
from training.data.corpus import CATEGORY_WEIGHT
from training.data.shape_samples import ShapeSamples

Floats = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Surface:
    """A captioned surface sample in the canonical frame: points and normals (n, 3)."""

    id: str
    source: str
    captions: tuple[str, ...]
    points: Floats
    normals: Floats


@dataclass(frozen=True, kw_only=True)
class ShapeTokens:
    """Captioned token sequences."""

    ids: NDArray[np.uint16]  # (S, n_tokens)
    names: list[str]
    sources: list[str]
    captions: list[tuple[str, ...]]

    def __len__(self) -> int:
        return len(self.names)

    def probabilities(self) -> NDArray[np.float64]:
        """How often each row is drawn, by its category."""
        weights = np.array([CATEGORY_WEIGHT.get(source, 1.0) for source in self.sources])
        share: NDArray[np.float64] = weights / weights.sum()
        return share


def weights_hash(module: nn.Module) -> str:
    """sha256 over the tensors of a tokenizer that decide its ids: all but those that only decode."""
    digest = hashlib.sha256()
    for name, value in sorted(module.state_dict().items()):
        if not name.startswith(("decoder.", "occupancy_decoder.")):
            digest.update(f"{name}{tuple(value.shape)}".encode())
            digest.update(value.detach().float().cpu().numpy().tobytes())
    return digest.hexdigest()


def sampled_surfaces(samples: ShapeSamples) -> Iterator[Surface]:
    """Surfaces of labelled shapes, procedural or not."""
    for row, name in enumerate(samples.ids):
        yield Surface(
            id=name,
            source=samples.sources[row],
            captions=samples.captions[row],
            points=samples.points[row].astype(np.float32),
            normals=samples.normals[row].astype(np.float32) / 127,
        )


@torch.inference_mode()
def encode(
    surfaces: Iterator[Surface], total: int, tokenizer: ShapeTokenizer, path: Path, *, batch: int = 32
) -> None:
    """Tokenise `total` surfaces into `path`, unless this tokenizer has already done so with as many."""
    assert isinstance(tokenizer, nn.Module)
    made_by = weights_hash(tokenizer)
    if path.exists():
        metadata = _metadata(path)
        if metadata["tokenizer"] == made_by and len(json.loads(metadata["objects"])) == total:
            return
    rows: list[dict[str, object]] = []
    ids: list[NDArray[np.uint16]] = []
    with tqdm(total=total, unit="shape") as bar:
        for group in _batched(surfaces, batch):
            points, normals = (
                torch.from_numpy(np.stack([getattr(surface, name) for surface in group]))
                for name in ("points", "normals")
            )
            with torch.autocast(points.device.type, torch.bfloat16):
                ids.append(tokenizer.encode(points, normals).numpy().astype(np.uint16))
            rows += [{"id": s.id, "source": s.source, "captions": s.captions} for s in group]
            bar.update(len(group))
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    metadata = {"tokenizer": made_by, "objects": json.dumps(rows)}
    save_file({"ids": np.concatenate(ids)}, partial, metadata=metadata)
    partial.replace(path)


def _batched(surfaces: Iterator[Surface], size: int) -> Iterator[list[Surface]]:
    group: list[Surface] = []
    for surface in surfaces:
        group.append(surface)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group


def _metadata(path: Path) -> dict[str, str]:
    with safe_open(path, framework="numpy") as file:
        metadata: dict[str, str] = file.metadata()
    return metadata


def load_tokens(
    path: Path, tokenizer: nn.Module, *, keep: Callable[[str], bool] = lambda source: True
) -> ShapeTokens:
    """Token sequences of the sources to keep. Raises ValueError when missing or made by another tokenizer."""
    if not path.exists():
        raise ValueError(f"{path} does not exist; run `omni123-train tokens` first")
    metadata = _metadata(path)
    if metadata["tokenizer"] != weights_hash(tokenizer):
        raise ValueError(f"{path} was made by another tokenizer; run `omni123-train tokens` again")
    objects = json.loads(metadata["objects"])
    with safe_open(path, framework="numpy") as file:
        ids = file.get_tensor("ids")
    rows = [row for row, entry in enumerate(objects) if keep(entry["source"])]
    return ShapeTokens(
        ids=ids[rows],
        names=[objects[row]["id"] for row in rows],
        sources=[objects[row]["source"] for row in rows],
        captions=[tuple(objects[row]["captions"]) for row in rows],
    )
