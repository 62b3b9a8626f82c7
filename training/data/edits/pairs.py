"""Chooses, checks and words the edit pairs of one asset."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np

from training.data.assets.asset import Asset
from training.data.assets.duplicates import geometry_hash
from training.data.steps import seed_of

from . import changes, frame, posing, resizing, surgery, visibility, whole
from .changes import Change, Choice
from .extras import extras
from .naming import front_known
from .phrases import a_or_an
from .pieces import Pieces, find
from .redrawn import change_of
from .settings import EditSettings, Kind
from .variations import Variation, variations

BY = "rules 1"
_MOVES: tuple[Callable[[Choice, np.random.Generator, EditSettings], Iterator[Change]], ...] = (
    changes.removals,
    changes.replacements,
    resizing.resizings,
    changes.paintings,
    posing.poses,
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Pair:
    """Both sides in their shared frame, and what is known of them."""

    kind: Kind
    instructions: tuple[str, ...]
    source: Asset
    target: Asset
    facts: dict[str, Any]


def pairs_of(asset: Asset, settings: EditSettings) -> list[Pair]:
    """At most `settings.pairs`, of as many kinds as there are; the same for the same asset."""
    rng = np.random.default_rng(seed_of(asset.key, "edits"))
    asset = surgery.plain(asset)
    made: list[Pair] = []
    counts: Counter[str] = Counter()
    for change in islice(_candidates(asset, settings, rng), settings.tries):
        if len(made) == settings.pairs:
            break
        same = bool(change.kept_source.all() and change.kept_target.all())
        full = (
            counts[change.kind] >= settings.per_kind
            or (same and counts["same"] >= settings.same_geometry)
            or (change.whole and counts["whole"] >= settings.whole)
        )
        pair = None if full else _judged(change, asset, len(made), settings, rng)
        if pair is not None:
            made.append(pair)
            counts.update({change.kind: 1, "same": int(same), "whole": int(change.whole)})
    return made


def _candidates(asset: Asset, settings: EditSettings, rng: np.random.Generator) -> Iterator[Change]:
    """Kinds in turn, so that none crowds out the others; edits of the whole last."""
    if "family" in asset.provenance:
        yield from _varied(asset, settings, rng)
    pieces = find(asset, settings.max_pieces, rng)
    given = extras(asset, front_known(asset), rng)
    if pieces is not None and len(pieces.pieces) > 1:
        for number, change in enumerate(_of_pieces(pieces, settings, rng)):
            yield change
            if number % 3 == 1:
                yield from islice(given, 1)
    yield from given
    yield from whole.wholes(asset, front_known(asset), rng)


def _of_pieces(pieces: Pieces, settings: EditSettings, rng: np.random.Generator) -> Iterator[Change]:
    found = list(islice(changes.choices(pieces, rng), settings.tries))
    found.sort(key=lambda choice: not choice.called.sure)
    for turn in range(len(found)):
        for number in rng.permutation(len(_MOVES)):
            choice = found[(turn + number * 3) % len(found)]
            yield from _MOVES[number](choice, rng, settings)


def _varied(asset: Asset, settings: EditSettings, rng: np.random.Generator) -> Iterator[Change]:
    """What the family itself can vary, kinds in turn."""
    family, seed = asset.provenance["family"], int(asset.provenance["seed"])
    by_kind: dict[str, list[Variation]] = {}
    for made in variations(family, seed, rng):
        by_kind.setdefault(made.kind, []).append(made)
    for turn in range(2):
        for kind in sorted(by_kind):
            if turn < len(by_kind[kind]):
                yield change_of(by_kind[kind][turn], asset)


def _judged(
    change: Change, asset: Asset, number: int, settings: EditSettings, rng: np.random.Generator
) -> Pair | None:
    """The pair in its frame with its facts; None if it leaves it, shows too little or something moved."""
    if (change.source.colors is None) != (change.target.colors is None):
        change = replace(change, source=surgery.colored(change.source), target=surgery.colored(change.target))
    placed = frame.shared(_tidy(change.source), _tidy(change.target))
    if placed is None:
        return None
    source, target = placed
    kept_source, kept_target = change.kept_source, change.kept_target
    share = frame.kept_share(source, kept_source)
    same = bool(kept_source.all() and kept_target.all())
    if change.kind in ("add", "remove") and share < settings.kept:
        return None
    if change.kind == "restyle" and not same:
        return None
    moved = frame.distance_moved(source, target, kept_source, kept_target)
    if moved is not None and moved > settings.moved:
        return None
    seen = visibility.change_seen(source, target, kept_source, kept_target, rng)
    if seen < (settings.visible_vague if change.vague else settings.visible):
        return None
    order = rng.permutation(len(change.instructions))[: settings.instructions]
    facts = {
        "unedited_share": round(share, 4),
        "unedited_moved": moved,
        "seen": round(seen, 4),
        "geometry_changes": not same,
        "made_by": "family" if "variation" in source.provenance else "pieces",
    }
    sides = (_named(side, asset, number, word) for side, word in ((source, "source"), (target, "target")))
    return Pair(
        kind=change.kind,
        instructions=tuple(a_or_an(change.instructions[i]) for i in order),
        source=next(sides),
        target=next(sides),
        facts=facts,
    )


def _tidy(asset: Asset) -> Asset:
    """Without vertices that no face uses."""
    return surgery.without(asset, np.zeros(len(asset.faces), bool))


def _named(side: Asset, asset: Asset, number: int, word: str) -> Asset:
    """A key of its own; `of` leads back to the asset, whose split its pairs must share."""
    provenance = {k: v for k, v in side.provenance.items() if k not in ("family", "seed")}
    provenance |= {"of": asset.key, "pair": f"{number}-{word}"}
    own = f"{seed_of(asset.key, str(number), word) & 0xFFFFFFFF:08x}"
    return replace(side, key=f"{geometry_hash(side.vertices, side.faces)}-{own}", provenance=provenance)
