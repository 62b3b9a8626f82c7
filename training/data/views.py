"""Rendered views of objects: what the image tokenizer learns from and what image tasks are made of.

A shard is one safetensors file: images (S, V, size, size, 3) uint8, top row first, on white, and in its
metadata the id, source and captions of each object, by the ids of `shape_samples`, so that views and shape
tokens of one object find each other. The six canonical views come first, then views from anywhere.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save_file

from backend.geometry import canonical
from backend.geometry.mesh import Mesh
from training.data import corpus
from training.data.rendering.cameras import CANONICAL, Camera
from training.data.rendering.lighting import POOL, STUDIO, Lighting, from_pool
from training.data.shape_samples import run_shards
from training.data.synthetic import generate
from training.evaluation.render import render_views

FORMAT = 1
Images = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class ViewSettings:
    """How one object is pictured."""

    size: int = 128  # pixels along each side
    n_free: int = 2  # views from anywhere under any light, after the six canonical ones
    lowest: float = -30.0  # degrees of elevation of the free views
    highest: float = 60.0

    @property
    def n_views(self) -> int:
        return len(CANONICAL) + self.n_free


@dataclass(frozen=True, kw_only=True)
class ViewedObject:
    """One object's pictures and words."""

    id: str  # as in shape_samples: synthetic/SEED or the corpus's own
    source: str  # family of the generator or category of the corpus
    captions: tuple[str, ...]
    images: Images  # (V, size, size, 3)


def cameras(name: str, settings: ViewSettings) -> list[Camera]:
    """The canonical six, then free ones that the object's id decides."""
    rng = np.random.default_rng(int.from_bytes(hashlib.sha256(name.encode()).digest()[16:24], "little"))
    free = [
        Camera(
            azimuth=float(rng.uniform(-180, 180)),
            elevation=float(rng.uniform(settings.lowest, settings.highest)),
        )
        for _ in range(settings.n_free)
    ]
    return [*CANONICAL.values(), *free]


def lights(name: str, settings: ViewSettings) -> list[Lighting]:
    """The studio for the canonical six, any light for the free ones."""
    rng = np.random.default_rng(int.from_bytes(hashlib.sha256(name.encode()).digest()[24:], "little"))
    free = [from_pool(int(index)) for index in rng.integers(POOL, size=settings.n_free)]
    return [STUDIO] * len(CANONICAL) + free


def view_synthetic(seed: int, settings: ViewSettings) -> ViewedObject:
    """The procedural object of this seed in its own colours."""
    shape, name = generate(seed), f"synthetic/{seed}"
    mesh = shape.to_mesh()
    assert mesh.colors is not None
    colors = mesh.colors[mesh.faces[:, 0], :3]  # a part has one colour
    images = render_views(
        mesh, cameras(name, settings), settings.size, colors=colors, lighting=lights(name, settings)
    )
    return ViewedObject(id=name, source=shape.family, captions=shape.captions, images=images)


def view_corpus_object(
    entry: corpus.CorpusEntry, mesh: Mesh, rgb: NDArray[np.uint8], settings: ViewSettings
) -> ViewedObject:
    """One mesh of the corpus, normalised as its shape samples are."""
    vertices = canonical.fit(mesh.vertices).to_canonical(mesh.vertices).astype(np.float32)
    images = render_views(
        Mesh(vertices=vertices, faces=mesh.faces),
        cameras(entry.id, settings),
        settings.size,
        colors=rgb,
        lighting=lights(entry.id, settings),
    )
    return ViewedObject(id=entry.id, source=entry.category, captions=corpus.captions(entry), images=images)


def build_synthetic(
    folder: Path, seeds: range, *, settings: ViewSettings, shard: int = 128, processes: int = 2
) -> None:
    """Shards of procedural objects, one per seed."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = [range(start, min(start + shard, seeds.stop)) for start in range(seeds.start, seeds.stop, shard)]
    run_shards(partial(_synthetic_shard, folder=folder, settings=settings), parts, len(seeds), processes)


def build_corpus(
    folder: Path, root: Path, split: str, *, settings: ViewSettings, shard: int = 128, processes: int = 2
) -> None:
    """Shards of one split of a packed corpus."""
    folder.mkdir(parents=True, exist_ok=True)
    entries = sorted((e for e in corpus.read_index(root) if e.split == split), key=lambda e: (e.pack, e.id))
    parts = [entries[start : start + shard] for start in range(0, len(entries), shard)]
    work = partial(_corpus_shard, root=root, folder=folder, settings=settings)
    run_shards(work, parts, len(entries), processes)


def _synthetic_shard(seeds: range, folder: Path, settings: ViewSettings) -> int:
    key = [FORMAT, "synthetic", seeds.start, seeds.stop, asdict(settings)]
    _save(folder, "synthetic", key, (view_synthetic(seed, settings) for seed in seeds))
    return len(seeds)


def _corpus_shard(entries: list[corpus.CorpusEntry], root: Path, folder: Path, settings: ViewSettings) -> int:
    key = [FORMAT, "corpus", [entry.id for entry in entries], asdict(settings)]
    meshes = corpus.read_meshes(root, entries)
    _save(folder, "corpus", key, (view_corpus_object(*found, settings) for found in meshes))
    return len(entries)


def _save(folder: Path, kind: str, key: list[object], objects: Iterable[ViewedObject]) -> None:
    """Written whole or not at all; left alone where it is."""
    path = folder / f"{kind}-{hashlib.sha256(json.dumps(key).encode()).hexdigest()[:16]}.safetensors"
    if path.exists():
        return
    viewed = list(objects)
    rows = [{"id": o.id, "source": o.source, "captions": o.captions} for o in viewed]
    partial_path = path.with_suffix(".partial")
    tensors = {"images": np.stack([o.images for o in viewed])}
    save_file(tensors, partial_path, metadata={"format": str(FORMAT), "objects": json.dumps(rows)})
    partial_path.replace(path)


class Views:
    """Objects of many shards, opened once and read picture by picture from the page cache."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self.ids: list[str] = []
        self.sources: list[str] = []
        self.captions: list[tuple[str, ...]] = []
        self._where: list[tuple[int, int]] = []  # shard and row of each object
        self._shards: list[Any] = []
        shapes = set()
        for path in paths:
            shard: Any = safe_open(path, framework="numpy")
            if shard.metadata().get("format") != str(FORMAT):
                raise ValueError(f"{path.name} has another format; remove it and make the views again")
            rows = json.loads(shard.metadata()["objects"])
            images = shard.get_slice("images")
            shapes.add(tuple(images.get_shape()[1:]))
            self.ids += [str(row["id"]) for row in rows]
            self.sources += [str(row["source"]) for row in rows]
            self.captions += [tuple(row["captions"]) for row in rows]
            self._where += [(len(self._shards), row) for row in range(len(rows))]
            self._shards.append(images)
        if len(shapes) != 1:
            raise ValueError(f"views must all be of one size, not {sorted(shapes)}")
        self.n_views, self.size = next(iter(shapes))[:2]

    def __len__(self) -> int:
        return len(self.ids)

    def image(self, index: int, view: int) -> Images:
        """(size, size, 3) of an object; views 0..5 are front, back, left, right, top, bottom."""
        shard, row = self._where[index]
        picture: Images = self._shards[shard][row : row + 1, view : view + 1][0, 0]
        return picture

    def probabilities(self) -> NDArray[np.float64]:
        """How often each object is drawn, by its category."""
        weights = np.array([corpus.CATEGORY_WEIGHT.get(source, 1.0) for source in self.sources])
        share: NDArray[np.float64] = weights / weights.sum()
        return share


def load_views(folder: Path, pattern: str = "*.safetensors") -> Views:
    """Every shard of a folder, in name order. Raises ValueError when there is none."""
    paths = sorted(folder.glob(pattern))
    if not paths:
        raise ValueError(f"no shards match {folder / pattern}; make them with `omni123-train data views`")
    return Views(paths)
