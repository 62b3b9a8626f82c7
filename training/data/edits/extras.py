"""Things that anything can be given, lose or change: a hat, a flag, wings, a pedestal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from backend.geometry.sampling import sample_surface
from training.data.assets.asset import Asset
from training.data.synthetic.assembly import Assembly, turn
from training.data.synthetic.catalog import FAMILIES
from training.data.synthetic.palette import pick, shade
from training.data.synthetic.variation import between, choose

from . import surgery, wording
from .changes import Change
from .naming import Called

Generator = np.random.Generator
Points = NDArray[np.float64]
_SINK = 0.015  # how deep a thing sits in what carries it
_FREE = 0.06  # a top that is this far from the surface is none
_ON_TOP = ("hat", "ball", "flag", "antenna", "cone", "ring", "mushroom", "rocket", "flower", "snowman")


@dataclass(frozen=True, kw_only=True, eq=False)
class Extra:
    """A thing in its place, and what it is called."""

    called: Called
    place: str  # "on top"
    parts: Assembly
    scale: float
    offset: Points  # of the drawing's origin

    def put_on(self, asset: Asset) -> Asset:
        """With the thing at the end of its faces."""
        for part in self.parts.parts:
            local, faces = part.primitive.to_mesh()
            vertices = part.to_object(local).astype(np.float64) * self.scale + self.offset
            asset = surgery.added(asset, vertices, faces, part.color, part.name)
        return asset


def extras(asset: Asset, front_known: bool, rng: Generator) -> Iterator[Change]:
    """One thing added, another taken away, one exchanged for another."""
    where = _Places(asset, rng)
    kept = np.ones(len(asset.faces), bool)
    top = where.top()
    makers: list[Callable[[Generator], Extra | None]] = [where.below]
    if front_known:
        makers.append(where.wings)
    if top is not None:
        makers = [where.on_top] * 4 + makers
    for turn_number in rng.permutation(3):
        first = makers[int(rng.integers(len(makers)))](rng)
        if first is None:
            continue
        having = first.put_on(asset)
        own = np.arange(len(having.faces)) < len(asset.faces)
        if turn_number < 2:
            added = Change(
                kind="add",
                instructions=tuple(wording.adding(first.called, first.place, where.of)),
                source=asset,
                target=having,
                kept_source=kept,
                kept_target=own,
            )
            gone = wording.removing(first.called, where.of)
            yield added if turn_number == 0 else added.reversed("remove", gone)
            continue
        other = where.on_top(rng) if first.place == "on top" else None
        if other is None or other.called.noun == first.called.noun:
            continue
        changed = other.put_on(asset)
        yield Change(
            kind="replace",
            instructions=tuple(wording.exchanging(first.called, other.called)),
            source=having,
            target=changed,
            kept_source=own,
            kept_target=np.arange(len(changed.faces)) < len(asset.faces),
        )


class _Places:
    """Where things can go on one asset."""

    def __init__(self, asset: Asset, rng: Generator) -> None:
        self._samples = sample_surface(asset.vertices, asset.faces, 6000, rng)[0].astype(np.float64)
        self._tree = cKDTree(self._samples)
        self._low, self._high = self._samples.min(axis=0), self._samples.max(axis=0)
        self._sides = self._high - self._low
        self.of = wording.noun_of(asset)

    def top(self) -> Points | None:
        """The middle of what is highest, if there is something there."""
        near = self._samples[self._samples[:, 2] > self._high[2] - 0.03]
        middle = np.append(np.median(near[:, :2], axis=0), self._high[2])
        return middle if self._tree.query(middle)[0] < _FREE else None

    def on_top(self, rng: Generator) -> Extra | None:
        spot = self.top()
        if spot is None:
            return None
        noun = choose(rng, *_ON_TOP)
        parts, called = _drawn(noun, rng)
        low, high = _bounds(parts)
        size = between(rng, 0.3, 0.5) * float(np.clip(self._sides.max(), 0.8, 1.92))
        scale = size / float((high - low).max())
        foot = np.append((low + high)[:2] / 2, low[2])
        return Extra(
            called=called,
            place="on top",
            parts=parts,
            scale=scale,
            offset=spot - [0, 0, _SINK] - foot * scale,
        )

    def below(self, rng: Generator) -> Extra | None:
        """Something to stand on."""
        parts = Assembly()
        finish = pick(rng, "stone", "wooden", "metal", "red", "blue", "black", "white", "golden")
        shape, height = choose(rng, "round", "square"), between(rng, 0.12, 0.3)
        width = float(max(self._sides[:2])) / 2 * (1.45 if shape == "round" else 1.1)
        parts.column(
            "base",
            (0, 0, -height),
            width * (1.0 if shape == "round" else 1.42),
            height,
            finish.color,
            sides=0 if shape == "round" else 4,
        )
        middle = np.append((self._low + self._high)[:2] / 2, self._low[2] + 0.002)
        noun = choose(rng, "pedestal", "base", "platform")
        called = Called(noun=noun, adjectives=(shape, finish.word), sure=True)
        return Extra(called=called, place="underneath", parts=parts, scale=1.0, offset=middle)

    def wings(self, rng: Generator) -> Extra | None:
        """A pair at the sides, where there is surface to hold them."""
        height = self._low[2] + 0.6 * self._sides[2]
        belt = self._samples[np.abs(self._samples[:, 2] - height) < 0.08]
        if len(belt) < 20 or self._sides[2] < 0.5:
            return None
        color, long = pick(rng), between(rng, 0.5, 0.9)
        parts = Assembly()
        for sign in (-1, 1):
            edge = belt[np.argmax(sign * belt[:, 0])]
            outline = [(0, -0.09), (long, 0.25), (long * 0.8, 0.42), (0, 0.2)]
            placed = [(edge[0] + sign * (u - 0.04), height + v) for u, v in outline]
            parts.slab("wing", (0, edge[1], 0), placed, 0.07, color.color, plane="xz")
        called = Called(noun="wing", adjectives=(color.word,), count=2, sure=True)
        return Extra(called=called, place="", parts=parts, scale=1.0, offset=np.zeros(3))


def _drawn(noun: str, rng: Generator) -> tuple[Assembly, Called]:
    """One of the things that can stand on top, standing at the origin."""
    parts, color = Assembly(), pick(rng)
    adjectives: tuple[str, ...] = (color.word,)
    if noun in FAMILIES:
        draft = FAMILIES[noun](rng)
        parts.parts.extend(draft.parts)
        noun = draft.nouns[0]
        adjectives = (draft.finish,) if draft.finish and noun not in ("flower", "snowman") else ()
    elif noun == "ball":
        parts.ball("ball", (0, 0, 1), 1.0, color.color)
    elif noun == "cone":
        parts.column("cone", (0, 0, 0), 0.5, 1.2, color.color, top=0.0)
    elif noun == "ring":
        parts.torus("ring", (0, 0, 0.5), 0.4, 0.1, color.color, rotation=turn("x", 90))
    elif noun == "antenna":
        parts.rod("antenna", (0, 0, 0), (0, 0, 1), 0.06, shade((120, 122, 126), rng=rng))
        parts.ball("antenna tip", (0, 0, 1.05), 0.14, color.color)
        adjectives = ()
    else:
        parts.rod("pole", (0, 0, 0), (0, 0, 1.3), 0.05, shade((120, 90, 60), rng=rng))
        parts.box("flag", (0.36, 0, 1.05), (0.7, 0.06, 0.45), color.color)
    return parts, Called(noun=noun, adjectives=adjectives, sure=True)


def _bounds(parts: Assembly) -> tuple[Points, Points]:
    lows, highs = zip(*(part.bounds for part in parts.parts), strict=True)
    return np.min(lows, axis=0).astype(np.float64), np.max(highs, axis=0).astype(np.float64)
