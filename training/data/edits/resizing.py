"""Pieces made bigger, longer or thicker, held where they touch the rest."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from . import surgery, wording
from .changes import Change, Choice
from .pieces import TOUCH, Pieces
from .settings import EditSettings

Generator = np.random.Generator
Points = NDArray[np.float64]
_SIZES = {
    "size": ("smaller", "bigger"),
    "length": ("shorter", "longer"),
    "thickness": ("thinner", "thicker"),
}


def resizings(choice: Choice, rng: Generator, settings: EditSettings) -> Iterator[Change]:
    """The pieces bigger, smaller, longer or thicker, held where they touch the rest."""
    grow = bool(rng.random() < 0.5)
    factor = float(rng.uniform(1.4, 1.75) if grow else rng.uniform(0.45, 0.65))
    asset, words = choice.pieces.asset, set()
    for number in choice.chosen:
        made = _resized(choice.pieces, number, factor, bool(rng.random() < 0.6))
        if made is None:
            return
        dimension, place = made
        words.add(dimension)
        if not holds(choice.pieces, number, place):
            return
        asset = surgery.moved(asset, choice.pieces.mask((number,)), place)
    if len(words) == 1:
        yield Change(
            kind="resize",
            instructions=tuple(wording.resizing(choice.called, _SIZES[words.pop()][grow])),
            source=choice.pieces.asset,
            target=asset,
            kept_source=~choice.mask,
            kept_target=~choice.mask,
            vague=choice.vague,
        )


def _resized(pieces: Pieces, number: int, factor: float, stretch: bool) -> tuple[str, surgery.Place] | None:
    """In which dimension, and how; None for pieces that run all through others."""
    piece, joint = pieces.pieces[number], pieces.joint((number,))
    long, scale = int(np.argmax(piece.sides)), np.full(3, factor)
    if joint is None:
        return "size", scaled(piece.center, scale)
    if np.linalg.norm(np.ptp(joint, axis=0)) > 0.7 * np.linalg.norm(piece.sides):
        return None
    anchor, dimension = np.clip(joint.mean(axis=0), *piece.box), "size"
    if piece.box[0][2] < pieces.box[0][2] + 0.02:  # it stands on the ground and goes on standing there
        carries = joint[:, 2].min() > piece.center[2]
        anchor[2] = piece.box[0][2]
        if carries:
            dimension, scale[2] = "thickness", 1.0
            anchor[:2] = piece.center[:2]
    elif stretch and piece.shape in ("long", "rod", "bar"):
        dimension, scale = "length", np.where(np.arange(3) == long, factor, 1.0)
    return dimension, scaled(anchor, scale)


def holds(pieces: Pieces, number: int, place: surgery.Place) -> bool:
    """Whether a piece that touched the rest still does."""
    rest = cKDTree(np.concatenate([pieces.pieces[i].samples for i in pieces.others((number,))]))
    piece = pieces.pieces[number]
    return pieces.joint((number,)) is None or bool(rest.query(place(piece.samples))[0].min() < TOUCH)


def scaled(anchor: Points, scale: Points) -> surgery.Place:
    return lambda points: anchor + (points - anchor) * scale
