"""Edits of the pieces of any asset, real or procedural: candidates, which `pairs` judges."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from backend.geometry.orientation import weld
from training.data.assets.asset import Asset
from training.data.synthetic.primitives import Box, Ellipsoid
from training.data.synthetic.swept import Lathe

from . import surgery, wording
from .naming import Called, call_group, call_member, where
from .pieces import TOUCH, Piece, Pieces
from .settings import EditSettings, Kind

Mask = NDArray[np.bool_]
Generator = np.random.Generator
Points = NDArray[np.float64]
_LEAST, _MOST = 0.006, 0.7  # share of the surface of what is edited
_COMPACT = 0.3  # shortest to longest side of what may become a ball
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
_LOOKS_LIKE = {
    "gold": ("yellow", "beige", "orange"),
    "silver": ("gray", "white", None),
    "copper": ("brown", "orange"),
    "wood": ("brown", "beige"),
    "stone": ("gray", "beige", "white"),
}
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
    vague: bool = False  # the instruction says where, but hardly what

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
    def vague(self) -> bool:
        return self.called.noun.endswith("part")

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
    if pieces.clusters(rest) > pieces.clusters(range(len(pieces.pieces))) or bares_hole(choice):
        return
    mask = choice.mask
    gone = Change(
        kind="remove",
        instructions=tuple(wording.removing(choice.called, choice.of)),
        source=pieces.asset,
        target=surgery.without(pieces.asset, mask),
        kept_source=~mask,
        kept_target=np.ones(int((~mask).sum()), bool),
        vague=choice.vague,
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
        choice.called.noun == "part"
        or min(float(m.sides.min() / m.sides.max()) for m in choice.members) < _COMPACT
        or len(choice.chosen) > 8
        or bares_hole(choice)
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
        vague=choice.vague,
    )


def paintings(choice: Choice, rng: Generator, settings: EditSettings) -> Iterator[Change]:
    """The pieces in another colour or material."""
    yield painted(choice.pieces.asset, choice.mask, choice.called, choice.members[0].color, choice.of, rng)


def painted(
    asset: Asset, mask: Mask, called: Called | None, color: str | None, of: str, rng: Generator
) -> Change:
    kept = np.ones(len(asset.faces), bool)
    if rng.random() < 0.3:
        word = str(rng.choice([name for name in _STUFFS if color not in _LOOKS_LIKE[name]]))
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
        vague=called is not None and called.noun.endswith("part"),
    )


def bares_hole(choice: Choice) -> bool:
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
