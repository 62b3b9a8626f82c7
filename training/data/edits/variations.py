"""Pairs of a procedural family: the same seed with one draw changed, and what its author says changed.

Both sides are unions of exact primitives in one frame, so their distances are exact too (`exact`).
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from training.data.assets.asset import Asset
from training.data.synthetic.captions import Draft
from training.data.synthetic.catalog import FAMILIES
from training.data.synthetic.objects import Part, SyntheticObject, canonical

from . import frame
from .differences import difference
from .draws import Draw, Draws
from .phrases import a_or_an
from .settings import Kind


@dataclass(frozen=True, kw_only=True)
class Variation:
    """One draw of a family changed. Parts lie in the source's canonical frame, kept ones first on both."""

    family: str
    seed: int
    draw: int
    option: int
    kind: Kind
    instructions: tuple[str, ...]  # all that fit
    source: tuple[Part, ...]
    target: tuple[Part, ...]
    kept: int  # parts that both sides have


def variations(family: str, seed: int, rng: np.random.Generator) -> Iterator[Variation]:
    """All that can be said in a sentence, in random order."""
    _, draws = _draft(family, seed)
    choices = [(k, o) for k, draw in enumerate(draws) for o in range(len(draw.alternatives()))]
    told: set[tuple[str, ...]] = set()
    for i in rng.permutation(len(choices)):
        made = variation(family, seed, *choices[i])
        if made is not None and made.instructions not in told:
            told.add(made.instructions)
            yield made


def variation(family: str, seed: int, draw: int, option: int) -> Variation | None:
    """None where nothing changes, or more than one thing that would have to be said."""
    draft, draws = _draft(family, seed)
    other = _redrawn(family, seed, draws, draw, draws[draw].alternatives()[option])
    said = difference(draft, other)
    if said is None:
        return None
    kind, sentences = said
    before, after = _matched(tuple(draft.parts), tuple(other.parts))
    kept = sum(_identity(a) == _identity(b) for a, b in zip(before, after, strict=False))
    if kept == len(before) == len(after) and all(
        a.color == b.color for a, b in zip(before, after, strict=True)
    ):
        return None
    source, target = canonical(before), canonical(after, like=before)
    return Variation(
        family=family,
        seed=seed,
        draw=draw,
        option=option,
        kind=kind,
        instructions=tuple(a_or_an(sentence) for sentence in sentences),
        source=source,
        target=target,
        kept=kept,
    )


def exact(asset: Asset) -> SyntheticObject | None:
    """The primitives of one side of a procedural pair, in the frame of its file; None for other assets.

    Distances, occupancy and surface samples of it need no mesh.
    """
    if "variation" not in asset.provenance:
        return None
    named = json.loads(asset.provenance["variation"])
    made = variation(named["family"], named["seed"], named["draw"], named["option"])
    if made is None:
        raise ValueError(f"asset {asset.key} names a variation that its family no longer has: {named}")
    parts = made.source if named["side"] == "source" else made.target
    return synthetic(made.family, tuple(part.scaled(frame.SCALE) for part in parts))


def synthetic(family: str, parts: tuple[Part, ...]) -> SyntheticObject:
    return SyntheticObject(family=family, parts=parts, attributes={}, captions=())


@lru_cache(maxsize=8)
def _draft(family: str, seed: int) -> tuple[Draft, tuple[Draw, ...]]:
    """As `generate` draws it."""
    rng = np.random.default_rng(seed)
    rng.integers(len(FAMILIES))  # the draw of the family itself
    draws = Draws(rng)
    draft = FAMILIES[family](draws.as_generator())
    return draft, tuple(draws.made)


def _redrawn(family: str, seed: int, draws: tuple[Draw, ...], number: int, value: object) -> Draft:
    changed = [replace(draw, value=value) if i == number else draw for i, draw in enumerate(draws)]
    rng = np.random.default_rng([seed, number])
    return FAMILIES[family](Draws(rng, changed).as_generator())


def _identity(part: Part) -> tuple[object, ...]:
    """Of its geometry: a part painted anew is kept."""
    return part.name, repr(part.primitive), part.rotation.tobytes(), part.translation


def _matched(before: tuple[Part, ...], after: tuple[Part, ...]) -> tuple[tuple[Part, ...], tuple[Part, ...]]:
    """Both with what they share first, in one order."""
    same: dict[object, deque[Part]] = {}
    for part in after:
        same.setdefault(_identity(part), deque()).append(part)
    shared, gone = [], []
    for part in before:
        twins = same.get(_identity(part))
        if twins:
            shared.append((part, twins.popleft()))
        else:
            gone.append(part)
    new = {id(part) for twins in same.values() for part in twins}
    rest = [part for part in after if id(part) in new]
    return (*(a for a, _ in shared), *gone), (*(b for _, b in shared), *rest)
