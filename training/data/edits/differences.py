"""What changed between two drafts of a family, from their authors' own words, and how to ask for it."""

from __future__ import annotations

from training.data.captions.english import number, plural
from training.data.synthetic.captions import Draft
from training.data.synthetic.palette import MATERIALS

from . import phrases
from .settings import Kind

_OF = {"backed": "back", "handled": "handle", "bladed": "blade"}


def difference(before: Draft, after: Draft) -> tuple[Kind, list[str]] | None:
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
