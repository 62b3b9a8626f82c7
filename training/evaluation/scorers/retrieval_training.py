"""Trains our own judge on data that no generator saw: procedural seeds of its own, and a dataset's val split.

omni123-train evaluate train-scorer --out runs/retrieval.safetensors [--data data]
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from training.data.shards.dataset import Dataset
from training.data.shards.join import joined_rows
from training.data.shards.pack import LEVELS
from training.data.synthetic import generate
from training.evaluation.scorers.interface import Cloud
from training.evaluation.scorers.retrieval import (
    PointTextEncoder,
    RetrievalConfig,
    RetrievalScorer,
    SentenceEncoder,
)

FIRST_SEED = 30_000_000  # of the objects trained on; no data set draws from here, nor what is judged
JUDGED_SEED = 31_000_000  # of the objects that say how good the judge is
JUDGED = 500  # of them
POOL = 100  # texts that a shape is to find its own among
STORED = 1024  # points kept of a shape, of which each step draws some
Points = NDArray[np.float32]
Watch = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class RetrievalRecipe:
    """Everything the judge depends on, beside its data."""

    config: RetrievalConfig = field(default_factory=RetrievalConfig)
    objects: int = 5000  # procedural ones
    captions: int = 2  # of each object
    steps: int = 260
    batch: int = 256
    peak_lr: float = 1e-3
    warmup: int = 30
    weight_decay: float = 0.05
    blur: float = 0.03  # most deviation of the noise on points, canonical units: made surfaces are not exact
    stretch: float = 0.06  # most change of a side
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """Shapes and captions of theirs."""

    points: list[Points]  # each (STORED, 3), canonical, Z up
    captions: list[tuple[str, ...]]

    def __len__(self) -> int:
        return len(self.points)


def procedural_pairs(first: int, count: int, captions: int) -> Pairs:
    """Objects of consecutive seeds, with so many of their captions."""
    points: list[Points] = []
    said: list[tuple[str, ...]] = []
    for seed in range(first, first + count):
        shape, rng = generate(seed), np.random.default_rng((seed, 7))
        points.append(shape.sample_surface(STORED, rng)[0])
        chosen = rng.permutation(len(shape.captions))[:captions]
        said.append(tuple(shape.captions[index] for index in chosen))
    return Pairs(points=points, captions=said)


def dataset_pairs(data: Path, split: str, captions: int) -> Pairs:
    """The captioned shapes of a split, with so many of their captions drawn from all levels."""
    dataset, rng = Dataset(data), np.random.default_rng(9)
    points: list[Points] = []
    said: list[tuple[str, ...]] = []
    for (shapes, texts), rows in joined_rows(dataset, ("shapes", "texts"), split):
        clouds, words = dataset.open(shapes).arrays("points"), dataset.open(texts)
        levels = [words.texts(level) for level in LEVELS]
        for row, text in rows:
            every = [caption for level in levels for caption in level[text]]
            chosen = rng.permutation(len(every))[:captions]
            points.append(clouds[row, :STORED].astype(np.float32))
            said.append(tuple(every[index] for index in chosen))
    return Pairs(points=points, captions=said)


def run(recipe: RetrievalRecipe, data: Path | None, watch: Watch) -> tuple[PointTextEncoder, str]:
    """The judge and what it was made of, its skill on unseen objects included."""
    watch(f"points of {recipe.objects} procedural objects")
    pairs = procedural_pairs(FIRST_SEED, recipe.objects, recipe.captions)
    made_of, judged_on = f"{recipe.objects} procedural objects", {}
    judged_on["procedural"] = procedural_pairs(JUDGED_SEED, JUDGED, 1)
    if data is not None:
        held_out = dataset_pairs(data, "val", 2 * recipe.captions)
        made_of = f"{made_of}, {len(held_out)} shapes of the validation split"
        pairs = Pairs(points=pairs.points + held_out.points, captions=pairs.captions + held_out.captions)
        judged_on["test split"] = dataset_pairs(data, "test", 1)
    model = train(recipe, pairs, watch)
    skill = {kind: judged(model, unseen) for kind, unseen in judged_on.items()}
    told = "; ".join(
        f"{kind}: top-1 {found['top_1']:.2f}, top-5 {found['top_5']:.2f} of {POOL}"
        for kind, found in skill.items()
        if found
    )
    return model, f"{made_of}, {recipe.steps} steps of {recipe.batch}; unseen {told}"


def contrast(shapes: Tensor, texts: Tensor, scale: Tensor) -> Tensor:
    """InfoNCE both ways, of aligned unit rows (B, D)."""
    logits = scale * shapes @ texts.T
    right = torch.arange(len(logits))
    return (F.cross_entropy(logits, right) + F.cross_entropy(logits.T, right)) / 2


def train(recipe: RetrievalRecipe, pairs: Pairs, watch: Watch) -> PointTextEncoder:
    """One short run in one process; the same seed, data and platform give the same weights."""
    torch.manual_seed(recipe.seed)
    rng = np.random.default_rng(recipe.seed)
    model = PointTextEncoder(recipe.config).train()
    every = [text for said in pairs.captions for text in said]
    unlike = {text: number for number, text in enumerate(dict.fromkeys(every))}
    watch(f"sentence embeddings of {len(unlike)} captions")
    sentences = SentenceEncoder().encode(list(unlike))
    number = np.array([unlike[text] for text in every])
    starts = np.cumsum([0, *map(len, pairs.captions)])
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=recipe.peak_lr, weight_decay=recipe.weight_decay, betas=(0.9, 0.98)
    )
    for step in range(recipe.steps):
        for group in optimizer.param_groups:
            group["lr"] = recipe.peak_lr * _schedule(step, recipe)
        rows = rng.choice(len(pairs), min(recipe.batch, len(pairs)), replace=False)
        said = torch.from_numpy(number[rng.integers(starts[rows], starts[rows + 1])])
        points = torch.from_numpy(np.stack([_seen(pairs.points[row], recipe, rng) for row in rows]))
        loss = contrast(model.shapes(points), model.texts(sentences[said]), model.log_scale.exp())
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        with torch.no_grad():
            model.log_scale.clamp_(max=float(np.log(100)))
        if (step + 1) % 20 == 0:
            watch(f"step {step + 1} of {recipe.steps}, loss {loss.item():.3f}")
    return model.eval()


def _schedule(step: int, recipe: RetrievalRecipe) -> float:
    """Linear warm-up, then a cosine to nothing."""
    if step < recipe.warmup:
        return (step + 1) / recipe.warmup
    return float(0.5 + 0.5 * np.cos(np.pi * (step - recipe.warmup) / max(1, recipe.steps - recipe.warmup)))


def _seen(points: Points, recipe: RetrievalRecipe, rng: np.random.Generator) -> Points:
    """Some of a shape's points, blurred and stretched a little, as a decoded surface would be."""
    taken = points[rng.integers(len(points), size=recipe.config.n_points)]
    noise = rng.normal(size=taken.shape) * rng.uniform(0, recipe.blur)
    seen: Points = (taken * rng.uniform(1 - recipe.stretch, 1 + recipe.stretch, 3) + noise).astype(np.float32)
    return seen


def judged(model: PointTextEncoder, pairs: Pairs) -> dict[str, float]:
    """How often a shape finds its own words first, or among five, in pools of POOL: the judge's skill."""
    scorer = RetrievalScorer(model)
    pools = [range(start, start + POOL) for start in range(0, len(pairs) - POOL + 1, POOL)]
    if not pools:
        return {}
    ranks = np.concatenate([_ranks(scorer, pairs, rows) for rows in pools])
    return {"top_1": float((ranks < 1).mean()), "top_5": float((ranks < 5).mean()), "shapes": len(ranks)}


def _ranks(scorer: RetrievalScorer, pairs: Pairs, rows: Sequence[int]) -> NDArray[np.int64]:
    shapes = scorer.shapes([Cloud(points=pairs.points[row]) for row in rows])
    likeness = (shapes @ scorer.texts([pairs.captions[row][-1] for row in rows]).T).numpy()
    found: NDArray[np.int64] = (likeness > likeness.diagonal()[:, None]).sum(axis=1)
    return found
