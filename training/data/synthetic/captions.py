"""Caption grammar: what families say of their objects, and the sentences made of it.

HELD_OUT_SYNONYMS (of family nouns) and HELD_OUT_ADJECTIVES never occur in a caption: they are for evaluating
words that training has not shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from .objects import Part

NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
LONG_WORDS = (10, 25)
_BEFORE_VOWEL = re.compile(r"\ba (?=(?!one)[aeio]|um)")  # of the words that families use

HELD_OUT_ADJECTIVES: dict[str, tuple[str, ...]] = {
    "round": ("circular",),
    "narrow": ("skinny", "slim"),
    "tall": ("towering", "lofty"),
    "wide": ("broad",),
    "low": ("squat",),
    "thick": ("chunky", "stout"),
    "wooden": ("timber",),
    "red": ("crimson", "scarlet"),
    "purple": ("violet",),
    "metal": ("steel", "iron"),
}


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A family's object before it is fitted to the canonical frame, and the words that are true of it."""

    parts: list[Part]
    nouns: tuple[str, ...]
    adjectives: tuple[str, ...] = ()  # of shape, in natural order; empty strings are left out
    finish: str = ""  # colour or material word
    details: tuple[str, ...] = ()  # noun phrases that follow "with"
    attributes: dict[str, str | int]


def number(n: int) -> str:
    """The word for a small count."""
    return NUMBERS[n]


def counted(n: int, noun: str, *adjectives: str) -> str:
    """ "three thin legs", "a thin leg"."""
    words = " ".join([*(a for a in adjectives if a), noun])
    return with_article(words) if n == 1 else f"{number(n)} {words if words.endswith('s') else words + 's'}"


def with_article(phrase: str) -> str:
    return f"a {phrase}"


def listed(phrases: Iterable[str]) -> str:
    items = list(phrases)
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def captions(draft: Draft, rng: np.random.Generator) -> tuple[str, ...]:
    """Distinct captions, shortest first: from one noun to a full sentence of 10 to 25 words."""
    adjectives = [a for a in draft.adjectives if a]
    details = [draft.details[i] for i in rng.permutation(len(draft.details))]

    def noun() -> str:
        return str(rng.choice(draft.nouns))

    def name(n_adjectives: int, finish: bool) -> str:
        chosen = sorted(rng.permutation(len(adjectives))[:n_adjectives])
        words = [adjectives[i] for i in chosen] + ([draft.finish] if finish and draft.finish else [])
        return " ".join([*words, noun()])

    made = [noun(), with_article(noun()), name(0, True), with_article(name(0, True))]
    for n in range(1, len(adjectives) + 1):
        made += [with_article(name(n, False)), name(n, True), with_article(name(n, True))]
    for detail in details:
        made.append(f"{noun()} with {detail}")
        made.append(f"{with_article(name(int(rng.integers(0, 3)), bool(rng.integers(2))))} with {detail}")
    if len(details) > 1:
        made.append(f"{with_article(name(9, True))} with {listed(details[:2])}")
        made.append(f"{with_article(name(1, False))} that has {listed(details[:2])}")
    made.append(_long(with_article(name(9, True)), details, rng))
    made = [_BEFORE_VOWEL.sub("an ", caption) for caption in made]
    return tuple(sorted(dict.fromkeys(made), key=lambda c: (len(c.split()), c)))


def _long(name: str, details: list[str], rng: np.random.Generator) -> str:
    """A sentence of 10 to 25 words."""
    low, high = LONG_WORDS
    opening = str(rng.choice(["", "", "a 3D model of ", "a low poly model of ", "a simple game asset: "]))
    said = list(details)
    while said and len(f"{opening}{name} with {listed(said)}".split()) > high:
        said.pop()
    sentence = f"{opening}{name} with {listed(said)}" if said else f"{opening}{name}"
    endings = ["standing on the ground", "seen as a single object", "in a clean and simple style"]
    for ending in [str(e) for e in rng.permutation(endings)]:
        if len(sentence.split()) >= low:
            break
        sentence = f"{sentence}, {ending}"
    if len(sentence.split()) < low:
        sentence = f"a plain 3D model of {sentence}"
    return sentence
