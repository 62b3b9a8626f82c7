"""Edits of the pieces of any asset, real or procedural: candidates, which `pairs` judges."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from backend.geometry.orientation import weld
from training.data.assets.asset import Asset
from training.data.synthetic.primitives import Box, Ellipsoid
from training.data.synthetic.swept import Lathe

from . import surgery, wording
from .naming import Called, call_group, call_member, front_known, where
from .pieces import TOUCH, Piece, Pieces
from .settings import EditSettings, Kind

Mask = NDArray[np.bool_]
Generator = np.random.Generator
Points = NDArray[np.float64]
_LEAST, _MOST = 0.006, 0.7  # share of the surface of what is edited
_HOLE = 0.12  # length of open edges that an edit may bare
_COLORS: dict[str, tuple[int, int, int]] = {
    "red": (195, 45, 42),
    "blue": (55, 100, 190),
    "green": (62, 140, 72),
    "yellow": (238, 204, 66),
    "orange": (230, 128, 45),
    "purple": (130, 80, 170),
    "pink": (235, 145, 175),
    "white": (238, 238, 234),
    "black": (38, 38, 41),
    "gray": (135, 137, 141),
    "brown": (112, 74, 46),
}
# Categories of things that face somewhere.
_FACING = ("character", "animal", "vehicle", "furniture", "appliance_electronics", "building")
# Colour, metallic, roughness.
_STUFFS: dict[str, tuple[tuple[int, int, int], float, float]] = {
    "gold": ((218, 175, 75), 1.0, 0.25),
    "silver": ((192, 195, 200), 1.0, 0.25),
    "copper": ((190, 110, 75), 1.0, 0.3),
    "wood": ((158, 110, 68), 0.0, 0.7),
    "stone": ((150, 146, 138), 0.0, 0.9),
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Change:
    """A candidate. Kept faces come in one order on both sides."""

    kind: Kind
    instructions: tuple[str, ...]  # all that fit
    source: Asset
    target: Asset
    kept_source: Mask
    kept_target: Mask
    whole: bool = False  # of the asset, not of a part of it

    def reversed(self, kind: Kind, instructions: list[str]) -> Change:
        return Change(
            kind=kind,
            instructions=tuple(instructions),
            source=self.target,
            target=self.source,
            kept_source=self.kept_target,
            kept_target=self.kept_source,
        )


@dataclass(frozen=True, eq=False)
class Choice:
    """Pieces that an edit may take, and what it calls them."""

    pieces: Pieces
    chosen: tuple[int, ...]
    called: Called

    @property
    def members(self) -> list[Piece]:
        return [self.pieces.pieces[i] for i in self.chosen]

    @property
    def mask(self) -> Mask:
        return self.pieces.mask(self.chosen)

    @property
    def of(self) -> str:
        return wording.noun_of(self.pieces.asset)


def choices(pieces: Pieces, rng: Generator) -> Iterator[Choice]:
    """Groups and single members, in random order, that can be named and are neither tiny nor the whole."""
    total = sum(piece.area for piece in pieces.pieces)
    found: list[tuple[tuple[int, ...], int | None]] = [(group, None) for group in pieces.groups]
    found += [(group, member) for group in pieces.groups if 2 <= len(group) <= 8 for member in group]
    for i in rng.permutation(len(found)):
        group, member = found[i]
        chosen = group if member is None else (member,)
        share = sum(pieces.pieces[k].area for k in chosen) / total
        if not (_LEAST < share < _MOST and len(chosen) < len(pieces.pieces)):
            continue
        called = call_group(pieces, group) if member is None else call_member(pieces, group, member)
        if called is not None:
            yield Choice(pieces, chosen, called)


def removals(choice: Choice, rng: Generator, settings: EditSettings) -> Iterator[Change]:
    """The pieces taken away, and put back."""
    pieces, rest = choice.pieces, choice.pieces.others(choice.chosen)
    total = sum(piece.area for piece in pieces.pieces)
    if sum(pieces.pieces[i].area for i in rest) < settings.kept * total:
        return
    if pieces.clusters(rest) > pieces.clusters(range(len(pieces.pieces))) or _bares_hole(choice):
        return
    mask = choice.mask
    gone = Change(
        kind="remove",
        instructions=tuple(wording.removing(choice.called, choice.of)),
        source=pieces.asset,
        target=surgery.without(pieces.asset, mask),
        kept_source=~mask,
        kept_target=np.ones(int((~mask).sum()), bool),
    )
    if rng.random() < 0.5:
        yield gone
        return
    place = choice.called.place or where(pieces, choice.chosen)
    plain = choice.called.adjectives[-1:] if choice.members[0].color in choice.called.adjectives else ()
    called = Called(
        noun=choice.called.noun, adjectives=plain, count=choice.called.count, sure=choice.called.sure
    )
    if not called.sure:
        color = choice.members[0].color
        if called.noun in ("part", "flat part", "long part") or color is None or not place:
            return
        called = Called(noun=called.noun, adjectives=(color,), count=called.count, sure=False)
    yield gone.reversed("add", wording.adding(called, place, choice.of))


def replacements(choice: Choice, rng: Generator, settings: EditSettings) -> Iterator[Change]:
    """The pieces exchanged for a plain solid of the same box."""
    solids = {"ball": "ball", "block": "block", "cylinder": "cylinder", "cone": "cone"}
    mine = choice.members[0].shape
    allowed = [s for s in solids if s != mine and not (mine in ("disc", "rod") and s == "cylinder")]
    if (
        min(float(m.sides.min()) for m in choice.members) < 0.06
        or len(choice.chosen) > 8
        or _bares_hole(choice)
    ):
        return
    shape = allowed[int(rng.integers(len(allowed)))]
    mask = choice.mask
    rest = cKDTree(
        np.concatenate([choice.pieces.pieces[i].samples for i in choice.pieces.others(choice.chosen)])
    )
    source = choice.pieces.asset
    for member in choice.members:
        vertices, faces = _solid(shape, member)
        if rest.query(vertices)[0].min() > 1.5 * TOUCH:
            return
        source = surgery.added(source, vertices, faces, int(member.faces[0]), shape)
    mask_new = np.r_[mask, np.zeros(len(source.faces) - len(mask), bool)]
    yield Change(
        kind="replace",
        instructions=tuple(wording.replacing(choice.called, shape)),
        source=choice.pieces.asset,
        target=surgery.without(source, mask_new),
        kept_source=~mask,
        kept_target=np.arange(len(source.faces) - int(mask.sum())) < int((~mask).sum()),
    )


def resizings(choice: Choice, rng: Generator, settings: EditSettings) -> Iterator[Change]:
    """The pieces bigger, smaller, longer or shorter, held where they touch the rest."""
    grow = bool(rng.random() < 0.5)
    factor = rng.uniform(1.4, 1.75) if grow else rng.uniform(0.45, 0.65)
    asset, mask = choice.pieces.asset, choice.mask
    axis = int(np.argmax(choice.members[0].sides))
    long = choice.members[0].shape in ("long", "rod", "bar") and rng.random() < 0.6
    scale = np.where(np.arange(3) == axis, factor, 1.0) if long else np.full(3, factor)
    floor = choice.pieces.box[0][2]
    for number in choice.chosen:
        member, joint = choice.pieces.pieces[number], choice.pieces.joint((number,))
        anchor = member.center if joint is None else joint.mean(axis=0)
        anchor = np.clip(anchor, *member.box)
        if member.box[0][2] < floor + 0.02:
            anchor[2] = member.box[0][2]  # it stands on the ground and goes on standing there
        asset = surgery.moved(asset, choice.pieces.mask((number,)), _scaled(anchor, scale))
    word = ("longer" if grow else "shorter") if long else ("bigger" if grow else "smaller")
    if _holds(choice, asset):
        yield Change(
            kind="resize",
            instructions=tuple(wording.resizing(choice.called, word)),
            source=choice.pieces.asset,
            target=asset,
            kept_source=~mask,
            kept_target=~mask,
        )


def paintings(choice: Choice, rng: Generator, settings: EditSettings) -> Iterator[Change]:
    """The pieces in another colour or material."""
    yield _painted(choice.pieces.asset, choice.mask, choice.called, choice.members[0].color, choice.of, rng)


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
        )


def wholes(asset: Asset, known_front: bool, rng: Generator) -> Iterator[Change]:
    """The whole asset stretched, painted or turned."""
    of, everything = wording.noun_of(asset), np.ones(len(asset.faces), bool)
    kinds: list[Kind] = ["resize", "restyle", "pose"]
    for i in rng.permutation(3):
        if kinds[i] == "restyle":
            yield _painted(asset, everything, None, None, of, rng)
            continue
        change = _stretch(known_front, rng) if kinds[i] == "resize" else _turn(asset, known_front, rng)
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


def _painted(
    asset: Asset, mask: Mask, called: Called | None, color: str | None, of: str, rng: Generator
) -> Change:
    kept = np.ones(len(asset.faces), bool)
    if rng.random() < 0.3:
        word = str(rng.choice(list(_STUFFS)))
        (tint, metallic, roughness), said = _STUFFS[word], wording.material(called, word, of)
    else:
        word = str(rng.choice([name for name in _COLORS if name != color]))
        (tint, metallic, roughness), said = (_COLORS[word], 0.0, 0.5), wording.painting(called, word, of)
    return Change(
        kind="restyle",
        instructions=tuple(said),
        source=asset,
        target=surgery.painted(asset, mask, tint, metallic, roughness),
        kept_source=kept,
        kept_target=kept,
        whole=bool(mask.all()),
    )


def _bares_hole(choice: Choice) -> bool:
    """Whether the rest has open edges where the pieces were."""
    rest = ~choice.mask
    points, faces = weld(choice.pieces.asset.vertices, choice.pieces.asset.faces[rest])
    edges = np.sort(faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    unique, count = np.unique(edges, axis=0, return_counts=True)
    ends = np.asarray(points, np.float64)[unique[count == 1]]
    if not len(ends):
        return False
    lengths = np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1)
    own = cKDTree(np.concatenate([member.samples for member in choice.members]))
    near = own.query(ends.mean(axis=1), distance_upper_bound=TOUCH)[0] < TOUCH
    return bool(lengths[near].sum() > _HOLE)


def _holds(choice: Choice, target: Asset) -> bool:
    """Whether pieces that touched the rest still do."""
    others = choice.pieces.others(choice.chosen)
    rest = cKDTree(np.concatenate([choice.pieces.pieces[i].samples for i in others]))
    for number in choice.chosen:
        if choice.pieces.joint((number,)) is None:
            continue
        corners = target.vertices[np.unique(target.faces[choice.pieces.mask((number,))])]
        low, high = corners.min(axis=0), corners.max(axis=0)
        inside = ((rest.data > low - TOUCH) & (rest.data < high + TOUCH)).all(axis=1)
        if not inside.any():
            return False
    return True


def _solid(shape: str, piece: Piece) -> tuple[Points, NDArray[np.int32]]:
    """A mesh that fills the piece's box."""
    half = piece.sides / 2
    if shape == "ball":
        vertices, faces = Ellipsoid(radii=(1.0, 1.0, 1.0)).to_mesh()
    elif shape == "block":
        vertices, faces = Box(half=(1.0, 1.0, 1.0)).to_mesh()
    else:
        top = ((1.0, 1.0), (0.0, 1.0)) if shape == "cylinder" else ((0.0, 1.0),)
        vertices, faces = Lathe(profile=((0.0, -1.0), (1.0, -1.0), *top)).to_mesh()
    return vertices.astype(np.float64) * half + piece.center, faces


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
    if not (far and front_known(pieces.asset) and len(group) == 1 and not _bares_hole(choice)):
        return
    side, mask = "left" if offset > 0 else "right", choice.mask
    flip = _scaled(middle, np.array([-1.0, 1, 1]))
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
    )


def _overlap(points: NDArray[np.float32], other: Piece) -> bool:
    """Whether most of the points lie in the box of a piece of about that size."""
    low, high = other.box
    size = np.prod(np.maximum(np.ptp(points, axis=0), 1e-3))
    inside = ((points > low) & (points < high)).all(axis=1).mean()
    return bool(inside > 0.5 and np.prod(np.maximum(high - low, 1e-3)) < 4 * size)


def _stretch(known_front: bool, rng: Generator) -> tuple[str, Points]:
    factor = float(rng.uniform(1.35, 1.7))
    words = {"taller": (2, factor), "shorter": (2, 1 / factor)}
    if known_front:
        words |= {"wider": (0, factor), "narrower": (0, 1 / factor), "deeper": (1, factor)}
    word = str(rng.choice(list(words)))
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


def _scaled(anchor: Points, scale: Points) -> surgery.Place:
    return lambda points: anchor + (points - anchor) * scale


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
