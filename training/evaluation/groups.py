"""Four groups of drawn pictures that image tokenizers are looked at by (O98): object, scene, human, text.

All are drawn from seeds, so nobody picks them. Groups of one's own are the folders of a folder of pictures.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import trimesh
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from backend.geometry.mesh import Mesh
from training.data.assets.ingest import IngestSettings
from training.data.assets.procedural import procedural_asset
from training.data.rendering.cameras import Camera, place
from training.data.rendering.lighting import POOL, STUDIO, from_pool
from training.data.rendering.product import on_ground
from training.data.rendering.raster import Shot, raster
from training.data.rendering.surfaces import of_mesh

GROUPS = ("object", "scene", "human", "text")
FIRST_SEED = 50_000_000  # of the objects shown, which no training set holds
_WORDS = ("OMNI", "Hello", "open", "EXIT", "2048", "shape", "Fresh bread", "Platform 9", "no entry", "A B C")
Pixels = NDArray[np.uint8]


def picture(group: str, number: int, size: int) -> Pixels:
    """(size, size, 3) sRGB; the same for the same number."""
    rng = np.random.default_rng((GROUPS.index(group), number))
    if group == "object":
        return _drawn(_object(FIRST_SEED + number), rng, size, (255, 255, 255))
    if group == "scene":
        return _drawn(_scene(rng), rng, size, tuple(int(value) for value in rng.integers(150, 240, 3)))
    if group == "human":
        return _drawn(_figure(rng), rng, size, (255, 255, 255))
    return _text(rng, size)


def pictures(count: int, size: int) -> tuple[Pixels, list[str]]:
    """`count` pictures (n, size, size, 3) of each group, and the group of each."""
    named = [(group, number) for group in GROUPS for number in range(count)]
    return np.stack([picture(group, number, size) for group, number in named]), [group for group, _ in named]


def _object(seed: int) -> Mesh:
    return procedural_asset(seed, IngestSettings()).mesh


def _scene(rng: np.random.Generator) -> Mesh:
    """Six objects on a floor."""
    floor = _part(trimesh.creation.box((4.4, 3.6, 0.1)), (0, 0, -0.05), rng)
    parts = [floor]
    for spot in ((-1.3, -1), (0, -1.2), (1.3, -1), (-1.3, 0.6), (0, 0.9), (1.3, 0.6)):
        mesh = _object(FIRST_SEED + 1000 + int(rng.integers(1000)))
        size = rng.uniform(0.4, 0.6)
        shift = np.array([*spot, -mesh.vertices[:, 2].min() * size])
        vertices = (mesh.vertices * size + shift).astype(np.float32)
        parts.append(Mesh(vertices=vertices, faces=mesh.faces, colors=mesh.colors))
    return _joined(parts)


def _figure(rng: np.random.Generator) -> Mesh:
    """A jointed person in some pose: head, trunk, two-part arms and legs."""
    skin, shirt, trousers = (tuple(rng.integers(60, 230, 3)) for _ in range(3))
    parts = [_ball((0, 0, 0.82), 0.13, skin), _limb((0, 0, 0.62), (0, 0, 0.1), 0.17, shirt)]
    for side in (-1, 1):
        elbow = np.array([side * 0.22, 0, 0.6]) + _swing(rng, side, 0.3)
        hand = elbow + _swing(rng, side, 0.28)
        parts += [_limb((side * 0.2, 0, 0.6), elbow, 0.06, shirt), _limb(elbow, hand, 0.05, skin)]
        knee = np.array([side * 0.1, 0, 0.05]) + _swing(rng, side * 0.2, 0.42)
        foot = knee + _swing(rng, side * 0.1, 0.42)
        parts += [_limb((side * 0.1, 0, 0.05), knee, 0.08, trousers), _limb(knee, foot, 0.06, trousers)]
    return _joined(parts)


def _swing(rng: np.random.Generator, side: float, length: float) -> NDArray[np.float64]:
    direction = np.array([side * rng.uniform(0.0, 1.2), rng.uniform(-0.7, 0.3), -1.0])
    swung: NDArray[np.float64] = direction / np.linalg.norm(direction) * length
    return swung


def _limb(start: object, end: object, radius: float, color: object) -> Mesh:
    a, b = np.asarray(start, np.float64), np.asarray(end, np.float64)
    length = float(np.linalg.norm(b - a))
    body = trimesh.creation.capsule(height=length, radius=radius, count=[12, 12])
    body.apply_translation(-body.bounds.mean(axis=0))
    turn: Any = trimesh.geometry.align_vectors  # carries no types
    body.apply_transform(turn([0, 0, 1], (b - a) / length))
    return _colored(body, (a + b) / 2, color)


def _ball(center: object, radius: float, color: object) -> Mesh:
    return _colored(trimesh.creation.icosphere(3, radius), np.asarray(center, np.float64), color)


def _part(shape: trimesh.Trimesh, center: object, rng: np.random.Generator) -> Mesh:
    return _colored(shape, np.asarray(center, np.float64), tuple(rng.integers(90, 220, 3)))


def _colored(shape: trimesh.Trimesh, center: NDArray[np.float64], color: object) -> Mesh:
    rgb = np.asarray(color, np.uint8)
    return Mesh(
        vertices=(np.asarray(shape.vertices) + center).astype(np.float32),
        faces=np.asarray(shape.faces, np.int32),
        colors=np.tile(np.array([*rgb, 255], np.uint8), (len(shape.vertices), 1)),
    )


def _joined(parts: list[Mesh]) -> Mesh:
    starts = np.cumsum([0, *(len(part.vertices) for part in parts[:-1])])
    grey = [np.full((len(part.vertices), 4), 200, np.uint8) for part in parts]
    return Mesh(
        vertices=np.concatenate([part.vertices for part in parts]),
        faces=np.concatenate([p.faces + s for p, s in zip(parts, starts, strict=True)]).astype(np.int32),
        colors=np.concatenate(
            [g if p.colors is None else p.colors for p, g in zip(parts, grey, strict=True)]
        ),
    )


def _drawn(mesh: Mesh, rng: np.random.Generator, size: int, ground: tuple[int, ...]) -> Pixels:
    camera = Camera(azimuth=float(rng.uniform(-60, 60)), elevation=float(rng.uniform(5, 40)))
    lighting = from_pool(int(rng.integers(POOL))) if rng.random() < 0.5 else STUDIO
    [shown] = raster(size).draw(of_mesh(mesh), [Shot(pose=place(camera, mesh.vertices), lighting=lighting)])
    red, green, blue = ground
    return on_ground(shown.color, (red, green, blue))


def _text(rng: np.random.Generator, size: int) -> Pixels:
    """Words on a plain sign."""
    ground, ink = (tuple(int(v) for v in rng.integers(low, low + 90, 3)) for low in (160, 10))
    page = Image.new("RGB", (size, size), ground)
    draw = ImageDraw.Draw(page)
    rows = 1 + int(rng.integers(3))
    for row in range(rows):
        word = _WORDS[int(rng.integers(len(_WORDS)))]
        font = ImageFont.load_default(size * rng.uniform(0.14, 0.22))
        left = (size - draw.textlength(word, font)) / 2
        draw.text((left, size * (row + 0.5) / rows - size * 0.12), word, ink, font)
    return np.asarray(page)
