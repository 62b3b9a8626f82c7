"""Pieces turned about their joints, or put on the other side."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from . import surgery, wording
from .changes import Change, Choice, bares_hole
from .naming import front_known
from .pieces import TOUCH, Piece, Pieces
from .resizing import scaled
from .settings import EditSettings

Generator = np.random.Generator
Points = NDArray[np.float64]


def poses(choice: Choice, rng: Generator, settings: EditSettings) -> Iterator[Change]:
    """The pieces turned about where they are joined, or on the other side."""
    if rng.random() < 0.4 and len(choice.chosen) == 1:
        yield from _across(choice, rng)
        return
    asset, mask, ways = choice.pieces.asset, choice.mask, set()
    if len(choice.chosen) > 4:
        return
    way_wanted, degrees = int(rng.integers(2)), rng.uniform(28, 50)
    for number in choice.chosen:
        turn = _tilt(choice.pieces, number, bool(way_wanted), float(degrees))
        if turn is None:
            return
        way, place = turn
        ways.add(way)
        asset = surgery.moved(asset, choice.pieces.mask((number,)), place)
    low = float(choice.pieces.box[0][2]) - 0.02
    if len(ways) == 1 and asset.vertices[np.unique(asset.faces), 2].min() > low:
        yield Change(
            kind="pose",
            instructions=tuple(wording.tilting(choice.called, ways.pop())),
            source=choice.pieces.asset,
            target=asset,
            kept_source=~mask,
            kept_target=~mask,
            vague=choice.vague,
        )


def _tilt(pieces: Pieces, number: int, first: bool, degrees: float) -> tuple[str, surgery.Place] | None:
    """Where a turn about the joint takes the free end, and the turn; None where it does not stick out."""
    piece, joint = pieces.pieces[number], pieces.joint((number,))
    if joint is None or np.linalg.norm(np.ptp(joint, axis=0)) > 0.5 * np.linalg.norm(piece.sides):
        return None
    hinge = joint.mean(axis=0)
    arm = piece.center - hinge
    length = float(np.linalg.norm(arm))
    if length < 0.25 * np.linalg.norm(piece.sides) or piece.sides.max() < 2 * np.sort(piece.sides)[1]:
        return None
    direction = arm / length
    if abs(direction[2]) < 0.6:
        axis = np.cross(direction, np.array([0.0, 0.0, 1.0])) * (1.0 if first else -1.0)
        way = "up" if first else "down"
    elif not front_known(pieces.asset):
        return None
    else:
        sideways = number % 2 == 0
        target = np.array([1.0, 0, 0] if sideways else [0, -1.0, 0]) * (1 if first else -1)
        axis = np.cross(direction, target)
        way = ("right" if first else "left") if sideways else ("forward" if first else "back")
    return way, _rotation(axis, degrees, hinge)


def _rotation(axis: NDArray[Any], degrees: float, hinge: Points) -> surgery.Place:
    x, y, z = axis / np.linalg.norm(axis)
    skew = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = np.radians(degrees)
    matrix = np.eye(3) + np.sin(angle) * skew + (1 - np.cos(angle)) * skew @ skew
    return lambda points: hinge + (points - hinge) @ matrix.T


def _across(choice: Choice, rng: Generator) -> Iterator[Change]:
    """A piece that lies to one side put to the other, or a copy of it there."""
    pieces, (number,) = choice.pieces, choice.chosen
    piece, middle = pieces.pieces[number], (pieces.box[0] + pieces.box[1]) / 2
    offset = float(piece.center[0] - middle[0])
    group = next(group for group in pieces.groups if number in group)
    far = abs(offset) > max(0.15, 0.55 * float(piece.sides[0]))
    if not (far and front_known(pieces.asset) and len(group) == 1 and not bares_hole(choice)):
        return
    side, mask = "left" if offset > 0 else "right", choice.mask
    flip = scaled(middle, np.array([-1.0, 1, 1]))
    moved = surgery.moved(pieces.asset, mask, flip)
    new = moved.vertices[np.unique(moved.faces[mask])]
    others = [pieces.pieces[i] for i in pieces.others(choice.chosen)]
    rest = cKDTree(np.concatenate([other.samples for other in others]))
    if rest.query(new)[0].min() > TOUCH or any(_overlap(new, other) for other in others):
        return
    if rng.random() < 0.5 and choice.called.sure:
        own = pieces.asset.faces[mask]
        used, faces = np.unique(own, return_inverse=True)
        copied = surgery.added(
            pieces.asset,
            flip(pieces.asset.vertices[used].astype(np.float64)),
            faces.reshape(-1, 3)[:, ::-1].astype(np.int32),
            int(piece.faces[0]),
            choice.called.noun,
        )
        yield Change(
            kind="add",
            instructions=tuple(wording.second(choice.called, side)),
            source=pieces.asset,
            target=copied,
            kept_source=np.ones(len(mask), bool),
            kept_target=np.arange(len(copied.faces)) < len(mask),
        )
        return
    yield Change(
        kind="pose",
        instructions=tuple(wording.moving(choice.called, side)),
        source=pieces.asset,
        target=moved,
        kept_source=~mask,
        kept_target=~mask,
        vague=choice.vague,
    )


def _overlap(points: NDArray[np.float32], other: Piece) -> bool:
    """Whether most of the points lie in the box of a piece of about that size."""
    low, high = other.box
    size = np.prod(np.maximum(np.ptp(points, axis=0), 1e-3))
    inside = ((points > low) & (points < high)).all(axis=1).mean()
    return bool(inside > 0.5 and np.prod(np.maximum(high - low, 1e-3)) < 4 * size)
