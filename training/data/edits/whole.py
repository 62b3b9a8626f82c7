"""The whole asset stretched, painted or turned: for what has no pieces to edit."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from backend.geometry.sampling import face_normals
from training.data.assets.asset import Asset

from . import surgery, wording
from .changes import Change, painted
from .looks import color_name
from .settings import Kind

Generator = np.random.Generator
Points = NDArray[np.float64]
# Categories of things that face somewhere.
_FACING = ("character", "animal", "vehicle", "furniture", "appliance_electronics", "building")


def wholes(asset: Asset, known_front: bool, rng: Generator) -> Iterator[Change]:
    """The whole asset stretched, painted or turned."""
    of, everything = wording.noun_of(asset), np.ones(len(asset.faces), bool)
    kinds: list[Kind] = ["resize", "restyle", "pose"]
    for i in rng.permutation(3):
        if kinds[i] == "restyle":
            yield painted(asset, everything, None, _color(asset), of, rng)
            continue
        change = _stretch(asset, known_front, rng) if kinds[i] == "resize" else _turn(asset, known_front, rng)
        if change is None:
            continue
        way, matrix = change
        said = wording.stretching(way, of) if kinds[i] == "resize" else wording.turning(way, of)
        yield Change(
            kind=kinds[i],
            instructions=tuple(said),
            source=asset,
            target=_standing(asset, surgery.moved(asset, everything, _turned(matrix))),
            kept_source=~everything,
            kept_target=~everything,
            whole=True,
        )


def _color(asset: Asset) -> str | None:
    colors = asset.face_colors()
    areas = face_normals(asset.vertices.astype(np.float64)[asset.faces])[1]
    return None if colors is None else color_name(colors, areas)


def _stretch(asset: Asset, known_front: bool, rng: Generator) -> tuple[str, Points] | None:
    sides, factor = np.ptp(asset.vertices[np.unique(asset.faces)], axis=0), float(rng.uniform(1.35, 1.7))
    words = {"taller": (2, factor), "shorter": (2, 1 / factor)}
    if known_front:
        words |= {"wider": (0, factor), "narrower": (0, 1 / factor), "deeper": (1, factor)}
    # How thick something flat is can hardly be seen.
    fit = [word for word, (axis, _) in words.items() if sides[axis] > 0.3 * sides.max()]
    if not fit:
        return None
    word = str(rng.choice(fit))
    axis, by = words[word]
    return word, np.diag([by if k == axis else 1.0 for k in range(3)])


def _turn(asset: Asset, known_front: bool, rng: Generator) -> tuple[str, Points] | None:
    """A way to turn the whole that makes sense for its shape and kind."""
    width, depth, height = np.ptp(asset.vertices[np.unique(asset.faces)], axis=0)
    side = [[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]]
    back = [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]]
    ways: dict[str, list[list[float]]] = {}
    if height > 1.2 * width:
        ways["side"] = side
    elif width > 1.8 * height and width > 1.5 * depth:
        ways["end"] = side
    if asset.category in _FACING and known_front:
        ways["left"] = [[0, 1.0, 0], [-1, 0, 0], [0, 0, 1]]
        ways["right"] = [[0, -1.0, 0], [1, 0, 0], [0, 0, 1]]
        ways["around"] = [[-1.0, 0, 0], [0, -1, 0], [0, 0, 1]]
        if height > 1.2 * depth:
            ways["back"] = back
    if not ways:
        return None
    way = str(rng.choice(list(ways)))
    return way, np.array(ways[way])


def _turned(matrix: Points) -> surgery.Place:
    return lambda points: points @ matrix.T


def _standing(source: Asset, target: Asset) -> Asset:
    """The target over the same place of the ground."""
    was, now = (a.vertices[np.unique(a.faces)] for a in (source, target))
    shift = np.append(
        (was.min(axis=0) + was.max(axis=0) - now.min(axis=0) - now.max(axis=0))[:2] / 2,
        was[:, 2].min() - now[:, 2].min(),
    )
    return surgery.moved(target, np.ones(len(target.faces), bool), lambda points: points + shift)
