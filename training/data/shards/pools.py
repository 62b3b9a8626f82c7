"""Pools of training data (paper, Table 1): what each is made of, how much of it there is, what it may train.

A render never trains text_to_image: its light is even, its material synthetic, its background empty (paper,
section 3.1). So the pool of pictures by people alone serves that task. Tasks are those of `backend.tasks`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Pool:
    """One row of Table 1. A task trains on this pool only if it is named here."""

    name: str
    modalities: tuple[str, ...]  # folders of shards that a sample is read from, aligned by key
    counts: str  # how many samples there are: a sum that shards keep as they are packed
    texts: int = 0  # of a sample
    images: int = 0
    shapes: int = 0
    tasks: tuple[str, ...]
    stage: str = "pre-training"

    def tokens(self, text: int, image: int, shape: int) -> int:
        """Tokens of one sample."""
        return self.texts * text + self.images * image + self.shapes * shape


POOLS = (
    Pool(
        name="text-image",
        modalities=("pictures",),
        counts="captions_of_pictures",
        texts=1,
        images=1,
        tasks=("text_to_image",),
    ),
    Pool(
        name="image-3D",
        modalities=("views", "shapes"),
        counts="lit_views",
        images=1,
        shapes=1,
        tasks=("image_to_shape", "shape_to_image", "image_to_view", "shape_to_view"),
    ),
    Pool(
        name="text-3D",
        modalities=("texts", "shapes"),
        counts="captions",
        texts=1,
        shapes=1,
        tasks=("text_to_shape",),
    ),
    Pool(
        name="text, 1 image, 3D",
        modalities=("texts", "views", "shapes"),
        counts="assets_with_lit_views",
        texts=1,
        images=1,
        shapes=1,
        tasks=("text_to_image_shape",),
        stage="fine-tuning",
    ),
    Pool(
        name="text, 6 posed images, 3D",
        modalities=("texts", "views", "shapes"),
        counts="assets_with_six_views",
        texts=1,
        images=6,
        shapes=1,
        tasks=(
            "text_to_view",
            "text_to_shape_view",
            "views_to_shape",
            "shape_to_views",
            "text_to_views_shape_views",
        ),
        stage="fine-tuning",
    ),
    Pool(
        name="edits",
        modalities=("edits", "edit_shapes"),
        counts="edit_pairs",
        texts=1,
        shapes=2,
        tasks=("edit_shape",),
        stage="editing",
    ),
)


def pool_of(task: str) -> Pool:
    """The one pool that a task may be trained on. Raises ValueError for no task."""
    for pool in POOLS:
        if task in pool.tasks:
            return pool
    raise ValueError(
        f"{task} is no task; there are {', '.join(task for pool in POOLS for task in pool.tasks)}"
    )


def allow(task: str, pool: str) -> None:
    """Raises ValueError where a task must not see a pool: renders never train text_to_image."""
    if pool_of(task).name != pool:
        raise ValueError(f"{task} may be trained on the pool {pool_of(task).name!r} alone, not on {pool!r}")


def tasks_served(modalities: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Tasks for which a dataset has training samples."""
    counts = pool_counts(modalities)
    return [task for pool in POOLS for task in pool.tasks if counts[pool.name].get("train", 0)]


def pool_counts(modalities: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, int]]:
    """Samples of each pool and split, summed from what each file says of itself."""
    return {pool.name: _counted(pool, modalities) for pool in POOLS}


def _counted(pool: Pool, modalities: Mapping[str, Mapping[str, Any]]) -> dict[str, int]:
    if not all(name in modalities for name in pool.modalities):
        return {}
    total: dict[str, int] = {}
    for name in pool.modalities:
        for file in modalities[name]["files"]:
            for split, count in file["samples"].get(pool.counts, {}).items():
                total[split] = total.get(split, 0) + count
    return total


@dataclass(frozen=True, kw_only=True)
class Lengths:
    """Tokens of one text, one image and one shape; the paper's, of stage 2."""

    text: int = 77
    image: int = 1024
    shape: int = 1024


def table(counts: Mapping[str, Mapping[str, int]], lengths: Lengths, split: str = "train") -> str:
    """The columns of the paper's Table 1 for any dataset."""
    sizes = {pool.name: counts.get(pool.name, {}).get(split, 0) for pool in POOLS}
    tokens = {
        pool.name: sizes[pool.name] * pool.tokens(lengths.text, lengths.image, lengths.shape)
        for pool in POOLS
    }
    whole = sum(tokens.values())
    lines = [f"{'stage':<13}{'pool':<26}{'samples':>14}{'tokens each':>13}{'tokens':>19}{'share':>8}"]
    for stage in dict.fromkeys(pool.stage for pool in POOLS):
        rows = [pool for pool in POOLS if pool.stage == stage]
        for pool in rows:
            each = pool.tokens(lengths.text, lengths.image, lengths.shape)
            lines.append(_line(stage, pool.name, sizes[pool.name], f"{each:,}", tokens[pool.name], whole))
        if len(rows) > 1:
            names = [pool.name for pool in rows]
            count, sum_ = sum(sizes[name] for name in names), sum(tokens[name] for name in names)
            lines.append(_line(stage, "subtotal", count, "", sum_, whole))
    return "\n".join([*lines, _line("", "total", sum(sizes.values()), "", whole, whole)])


def _line(stage: str, name: str, samples: int, each: str, tokens: int, whole: int) -> str:
    share = tokens / whole if whole else 0.0
    return f"{stage:<13}{name:<26}{samples:>14,}{each:>13}{tokens:>19,}{share:>8.1%}"
