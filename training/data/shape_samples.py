"""Labelled samples of shapes: what tokenizers are trained on, in self-describing shards.

A shard is one safetensors file: surface points and normals, field queries with signed distances, and in its
metadata the id, source and captions of each object. Shards are named by the hash of what made them, so a
second run does nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save_file
from tqdm import tqdm

from backend.geometry import canonical
from backend.geometry.labels import exposed, label_points
from backend.geometry.sampling import sample_surface
from training.data import corpus
from training.data.synthetic import generate

FORMAT = 1
# Signed distances beyond this tell nothing more, in canonical units.
TRUNCATION = 0.25
Floats = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class SamplingSettings:
    """How one shape is sampled."""

    n_points: int = 4096  # surface points with normals
    n_uniform: int = 2048  # queries anywhere in the box
    n_near: int = 4096  # queries near the surface, one half per scale
    near_scales: tuple[float, float] = (0.015, 0.06)  # their standard deviations, canonical units
    min_thickness: float = 0.05  # open sheets are given this thickness, canonical units


@dataclass(frozen=True, kw_only=True)
class ShapeSample:
    """One labelled shape in the canonical frame."""

    id: str
    source: str  # family of the generator or category of the corpus
    captions: tuple[str, ...]
    points: Floats  # (n, 3)
    normals: Floats  # (n, 3)
    queries: Floats  # (q, 3)
    distances: Floats  # (q,) negative inside


def _queries(points: Floats, settings: SamplingSettings, rng: np.random.Generator) -> Floats:
    half = settings.n_near // 2
    near = [
        points[rng.integers(len(points), size=half)] + rng.normal(scale=scale, size=(half, 3))
        for scale in settings.near_scales
    ]
    uniform = rng.uniform(-canonical.BOUNDS, canonical.BOUNDS, (settings.n_uniform, 3))
    queries = np.clip(np.concatenate([*near, uniform]), -canonical.BOUNDS, canonical.BOUNDS)
    single: Floats = queries.astype(np.float32)
    return single


def sample_synthetic(seed: int, settings: SamplingSettings) -> ShapeSample:
    """The procedural object of this seed, labelled exactly."""
    rng = np.random.default_rng((seed, 1))
    shape = generate(seed)
    points, normals, _ = shape.sample_surface(settings.n_points, rng)
    queries = _queries(points, settings, rng)
    return ShapeSample(
        id=f"synthetic/{seed}",
        source=shape.family,
        captions=shape.captions,
        points=points,
        normals=normals,
        queries=queries,
        distances=shape.signed_distance(queries),
    )


def sample_mesh(
    vertices: Floats, faces: NDArray[np.int32], rng: np.random.Generator, settings: SamplingSettings
) -> tuple[Floats, Floats, Floats, Floats]:
    """Points, normals, queries and signed distances of any triangle mesh, in the canonical frame."""
    vertices = canonical.fit(vertices).to_canonical(vertices).astype(np.float32)
    points, normals = _exposed_points(vertices, faces, settings.n_points, rng)
    queries = _queries(points, settings, rng)
    return (
        points,
        normals,
        queries,
        label_points(vertices, faces, queries, min_thickness=settings.min_thickness),
    )


def _exposed_points(
    vertices: Floats, faces: NDArray[np.int32], n: int, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Points and normals on the outer skin; assets are assembled of parts that bury each other's faces."""
    points, normals, _ = sample_surface(vertices, faces, 2 * n, rng)
    kept = np.flatnonzero(exposed(vertices, faces, points))
    if len(kept) == 0:
        kept = np.arange(len(points))
    chosen = kept[:n] if len(kept) >= n else rng.choice(kept, size=n)
    return points[chosen], normals[chosen]


def sample_corpus_object(
    entry: corpus.CorpusEntry, vertices: Floats, faces: NDArray[np.int32], settings: SamplingSettings
) -> ShapeSample:
    """One mesh of the corpus, labelled with winding numbers."""
    seed = int.from_bytes(hashlib.sha256(entry.id.encode()).digest()[:8], "little")
    arrays = sample_mesh(vertices, faces, np.random.default_rng(seed), settings)
    return ShapeSample(
        id=entry.id,
        source=entry.category,
        captions=corpus.captions(entry),
        points=arrays[0],
        normals=arrays[1],
        queries=arrays[2],
        distances=arrays[3],
    )


def _save(path: Path, samples: list[ShapeSample]) -> None:
    """Written whole or not at all."""

    def stack(name: str) -> Floats:
        return np.stack([getattr(sample, name) for sample in samples])

    tensors = {
        "points": stack("points").astype(np.float16),
        "normals": np.round(stack("normals") * 127).astype(np.int8),
        "queries": stack("queries").astype(np.float16),
        "distances": np.clip(stack("distances"), -TRUNCATION, TRUNCATION).astype(np.float16),
    }
    rows = [{"id": s.id, "source": s.source, "captions": s.captions} for s in samples]
    partial_path = path.with_suffix(".partial")
    save_file(tensors, partial_path, metadata={"format": str(FORMAT), "objects": json.dumps(rows)})
    partial_path.replace(path)


def _synthetic_shard(seeds: range, folder: Path, settings: SamplingSettings) -> int:
    key = json.dumps([FORMAT, "synthetic", seeds.start, seeds.stop, asdict(settings)])
    path = folder / f"synthetic-{hashlib.sha256(key.encode()).hexdigest()[:16]}.safetensors"
    if not path.exists():
        _save(path, [sample_synthetic(seed, settings) for seed in seeds])
    return len(seeds)


def _corpus_shard(
    entries: list[corpus.CorpusEntry], root: Path, folder: Path, settings: SamplingSettings
) -> int:
    key = json.dumps([FORMAT, "corpus", [entry.id for entry in entries], asdict(settings)])
    path = folder / f"corpus-{hashlib.sha256(key.encode()).hexdigest()[:16]}.safetensors"
    if not path.exists():
        _save(
            path,
            [
                sample_corpus_object(entry, mesh.vertices, mesh.faces, settings)
                for entry, mesh, _ in corpus.read_meshes(root, entries)
            ],
        )
    return len(entries)


def build_synthetic(
    folder: Path, seeds: range, *, settings: SamplingSettings, shard: int = 256, processes: int = 2
) -> None:
    """Shards of procedural objects, one per seed."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = [range(start, min(start + shard, seeds.stop)) for start in range(seeds.start, seeds.stop, shard)]
    run_shards(partial(_synthetic_shard, folder=folder, settings=settings), parts, len(seeds), processes)


def build_corpus(
    folder: Path, root: Path, split: str, *, settings: SamplingSettings, shard: int = 128, processes: int = 2
) -> None:
    """Shards of one split of a packed corpus."""
    folder.mkdir(parents=True, exist_ok=True)
    entries = sorted((e for e in corpus.read_index(root) if e.split == split), key=lambda e: (e.pack, e.id))
    parts = [entries[start : start + shard] for start in range(0, len(entries), shard)]
    run_shards(
        partial(_corpus_shard, root=root, folder=folder, settings=settings), parts, len(entries), processes
    )


def run_shards(work: Callable[[Any], int], parts: Iterable[Any], total: int, processes: int) -> None:
    """Makes every shard, in this process if it is to be one: whoever has drawn with OpenGL must not fork."""
    with ExitStack() as stack:
        made: Iterable[int] = map(work, parts)
        if processes > 1:
            made = stack.enter_context(ProcessPoolExecutor(processes)).map(work, parts)
        bar = stack.enter_context(tqdm(total=total, unit="shape"))
        for count in made:
            bar.update(count)


@dataclass(frozen=True, kw_only=True)
class ShapeSamples:
    """Many labelled shapes in memory, as their shards store them."""

    ids: list[str]
    sources: list[str]
    captions: list[tuple[str, ...]]
    points: NDArray[np.float16]  # (S, n, 3)
    normals: NDArray[np.int8]  # (S, n, 3), times 127
    queries: NDArray[np.float16]  # (S, q, 3)
    distances: NDArray[np.float16]  # (S, q)

    def __len__(self) -> int:
        return len(self.ids)

    def weights(self) -> NDArray[np.float64]:
        """How often each shape is drawn, by its category."""
        return np.array([corpus.CATEGORY_WEIGHT.get(source, 1.0) for source in self.sources])


def load_samples(folder: Path, pattern: str = "*.safetensors", limit: int | None = None) -> ShapeSamples:
    """Every shard of a folder, in name order. Raises ValueError when there is none."""
    paths = sorted(folder.glob(pattern))
    if not paths:
        raise ValueError(f"no shards match {folder / pattern}; make them with `omni123-train data` first")
    names = ("points", "normals", "queries", "distances")
    tensors: dict[str, list[NDArray[np.generic]]] = {name: [] for name in names}
    rows: list[dict[str, object]] = []
    for path in paths:
        with safe_open(path, framework="numpy") as shard:
            if shard.metadata().get("format") != str(FORMAT):
                raise ValueError(f"{path.name} has another format; remove it and make the samples again")
            rows += json.loads(shard.metadata()["objects"])
            for name in names:
                tensors[name].append(shard.get_tensor(name))
                if tensors[name][-1].shape[1:] != tensors[name][0].shape[1:]:
                    raise ValueError(
                        f"{path.name} and {paths[0].name} differ in size; keep one kind of the two"
                    )
        if limit is not None and len(rows) >= limit:
            break
    arrays = {name: np.concatenate(parts)[:limit] for name, parts in tensors.items()}
    rows = rows[:limit]
    return ShapeSamples(
        ids=[str(row["id"]) for row in rows],
        sources=[str(row["source"]) for row in rows],
        captions=[tuple(row["captions"]) for row in rows],  # type: ignore[arg-type]
        **arrays,  # type: ignore[arg-type]
    )
