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
from training.data.captions.english import number, plural
from training.data.synthetic.captions import Draft
from training.data.synthetic.catalog import FAMILIES
from training.data.synthetic.objects import Part, SyntheticObject, canonical
from training.data.synthetic.palette import MATERIALS

from . import phrases
from .draws import Draw, Draws
from .settings import Kind

_OF = {"backed": "back", "handled": "handle", "bladed": "blade"}


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
    said = _difference(draft, other)
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
        instructions=tuple(phrases.a_or_an(sentence) for sentence in sentences),
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
    frame = json.loads(asset.provenance["frame"])
    return synthetic(made.family, in_frame(parts, frame["center"], frame["scale"]))


def synthetic(family: str, parts: tuple[Part, ...]) -> SyntheticObject:
    return SyntheticObject(family=family, parts=parts, attributes={}, captions=())


def in_frame(parts: tuple[Part, ...], center: list[float], scale: float) -> tuple[Part, ...]:
    """Parts of the source's canonical frame in the pair's."""
    if scale == 1:
        return parts
    return tuple(part.moved(-np.asarray(center)).scaled(scale) for part in parts)


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


def _difference(before: Draft, after: Draft) -> tuple[Kind, list[str]] | None:
    """The kind of the change and ways of asking for it, if one sentence says it all."""
    gone, new = _without(before.details, after.details), _without(after.details, before.details)
    fewer, more = _without(before.adjectives, after.adjectives), _without(after.adjectives, before.adjectives)
    if before.nouns[0] != after.nouns[0]:
        clear = before.finish == after.finish and not before.nouns[0].endswith(after.nouns[0])
        return _noun(before.nouns[0], after.nouns[0]) if clear else None
    if before.finish != after.finish:
        # What a finish colours is often named in a detail too.
        named = {before.finish, after.finish}
        plain = [{" ".join(w for w in d.split() if w not in named) for d in side} for side in (gone, new)]
        return _finish(after.finish) if not fewer and not more and plain[0] == plain[1] else None
    if len(gone) > 1 or len(new) > 1 or len(fewer) > 1 or len(more) > 1:
        return None
    if gone or new:
        return _detail(phrases.read(gone[0]) if gone else None, phrases.read(new[0]) if new else None)
    return _adjective(fewer[0] if fewer else "", more[0] if more else "") if fewer or more else None


def _without(words: tuple[str, ...], others: tuple[str, ...]) -> list[str]:
    return [word for word in words if word and word not in others]


def _noun(old: str, new: str) -> tuple[Kind, list[str]]:
    return "replace", [
        f"turn the {old} into a {new}",
        f"make it a {new} instead of a {old}",
        f"I want a {new}, not a {old}",
        f"change this {old} to a {new}",
        f"replace it with a {new}",
    ]


def _finish(new: str) -> tuple[Kind, list[str]]:
    if new in ("wooden", "brick", "clay", "stone", "metal", "golden"):
        stuff = {"wooden": "wood", "golden": "gold"}.get(new, new)
        return "restyle", [
            f"make it out of {stuff}",
            f"a {new} one",
            f"change the material to {stuff}",
            f"it should be {new}",
            f"give it a {new} finish",
        ]
    return "restyle", [
        f"paint it {new}",
        f"make it {new}",
        f"change its color to {new}",
        f"{new} instead",
        f"the same in {new}",
        f"recolor it {new}",
    ]


def _adjective(old: str, new: str) -> tuple[Kind, list[str]] | None:
    if new in phrases.MORE or (not new and old in phrases.OPPOSITE):
        word = phrases.MORE.get(new) or phrases.OPPOSITE[old]
        return "resize", [f"make it {word}", f"a bit {word}, please", word, f"it should be {word}"]
    size, _, of = (new or old).partition("-")
    if size in phrases.OPPOSITE and of in _OF:
        word, thing = phrases.MORE[size] if new else phrases.OPPOSITE[size], _OF[of]
        return "resize", [
            f"make the {thing} {word}",
            f"a {word} {thing}",
            f"give it a {word} {thing}",
            f"the {thing} should be {word}",
        ]
    if not new:
        return None
    return "replace", [
        f"make it {new}",
        f"it should be {new}",
        f"a {new} one, please",
        *([f"{new} instead of {old}"] if old else []),
    ]


def _detail(old: phrases.Phrase | None, new: phrases.Phrase | None) -> tuple[Kind, list[str]] | None:
    absent = old is None or old.count == 0
    if new is not None and new.count and absent:
        text = new.indefinite
        return "add", [
            f"add {text}",
            f"give it {text}",
            f"put {text} on it" if not new.tail else f"it should have {text}",
            f"with {text}",
            f"+ {text}",
            f"it needs {text}",
            f"I'd like {text} too",
        ]
    if old is not None and old.count and (new is None or new.count == 0):
        return "remove", [
            f"remove {old.definite}",
            f"take off {old.definite}",
            f"take {old.bare} away",
            f"get rid of {old.bare}",
            f"without {old.bare}",
            f"no {old.noun}",
            f"delete {old.definite}",
        ]
    assert old is not None
    assert new is not None
    return _exchange(old, new)


def _exchange(old: phrases.Phrase, new: phrases.Phrase) -> tuple[Kind, list[str]] | None:
    if "raised arms" in (old.text, new.text):
        raised = new.text == "raised arms"
        return "pose", (
            ["raise its arms", "put its arms up", "arms up", "lift both arms"]
            if raised
            else ["lower its arms", "put its arms down", "arms at its sides", "let its arms hang"]
        )
    if " with " in old.tail + new.tail:
        return None
    same_noun = old.singular == new.singular and old.tail == new.tail
    if same_noun and old.count != new.count:
        return _number(old, new)
    if same_noun:
        gone = [word for word in old.adjectives if word not in new.adjectives]
        come = [word for word in new.adjectives if word not in old.adjectives]
        if len(gone) <= 1 and len(come) == 1 and come[0] != old.singular:
            return _quality(old, gone[0] if gone else "", come[0])
    return "replace", [
        f"replace {old.definite} with {new.indefinite}",
        f"swap {old.bare} for {new.indefinite}",
        f"{new.indefinite} instead of {old.indefinite}",
        f"give it {new.indefinite} instead of {old.definite}",
        f"change {old.definite} to {new.indefinite}",
    ]


def _number(old: phrases.Phrase, new: phrases.Phrase) -> tuple[Kind, list[str]]:
    more = new.count - old.count
    noun, before, after = plural(new.singular), _count_word(old), _count_word(new)
    counted = " ".join((after, *new.adjectives, new.noun)) + new.tail
    sentences = [
        f"give it {counted} instead of {before}",
        f"it should have {after} {new.noun}, not {before}",
        f"change the number of {noun} from {before} to {after}",
        f"{counted} instead of {before}",
    ]
    step = number(abs(more))
    if more > 0:
        things = new.singular if more == 1 else noun
        return "add", [*sentences, f"add {step} more {things}", f"{step} more {things}"]
    things = new.singular if more == -1 else noun
    return "remove", [*sentences, f"{step} {things} fewer", f"remove {step} of {old.bare}"]


def _count_word(phrase: phrases.Phrase) -> str:
    return number(phrase.count)


def _quality(old: phrases.Phrase, gone: str, come: str) -> tuple[Kind, list[str]]:
    """The same things of another size, colour or shape."""
    thing, instead = old.bare, f" instead of {gone} ones" if gone and old.plural else ""
    of_that = f"{come} {old.noun}" if old.plural else f"a {come} {old.noun}"
    change = f"change {thing} from {gone} to {come}" if gone else f"{thing} should be {come}"
    if come in phrases.COLOR_WORDS:
        paint = [f"paint {thing} {come}"] if come not in MATERIALS else []
        return "restyle", [f"make {thing} {come}", *paint, change, of_that + instead, f"give it {of_that}"]
    if come in phrases.MORE and come != "flat":
        word = phrases.MORE[come]
        given = f"{word} {old.noun}" if old.plural else f"a {word} {old.noun}"
        return "resize", [
            f"make {thing} {word}", given, f"{thing} should be {word}", change, f"give it {given}"
        ]  # fmt: skip
    made = [] if come in phrases.NOUNS else [f"make {thing} {come}", f"{thing} should be {come}"]
    return "replace", [
        *made,
        f"replace {old.definite} with {come} ones"
        if old.plural
        else f"replace {old.definite} with {of_that}",
        of_that + instead,
        change,
        f"give it {of_that}",
    ]
