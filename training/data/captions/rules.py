"""Captions without a model: what the name says and what can be measured, in three lengths.

Nothing is said that is not known: a colour of the name that cannot be seen on the surface is left out.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from training.data.assets.asset import Asset
from training.data.captions import sentences
from training.data.captions.colors import NamedColor, share_of
from training.data.captions.english import (
    capitalised,
    collective,
    counted,
    is_plural,
    listed,
    plural,
    singular,
)
from training.data.captions.lengths import LENGTHS, fits, words
from training.data.captions.lexicon import AGE, ORIGIN, PARTS, of
from training.data.captions.measures import Measures
from training.data.captions.names import NounPhrase, read_name

BY = "rules 1"
_MAIN = 0.62  # share of the surface from which a colour is the thing's colour
_PAIR = 0.8  # and from which two are
_SECOND = 0.15  # the least of the second
_NAMED = 0.25  # what a colour of the name must have to be said of the thing
_ACCENT = 0.02  # and to be said of a part of it
_TREES = of("tree oak pine birch willow fir maple spruce")


@dataclass(frozen=True, kw_only=True)
class Subject:
    """All that the rules know of an asset."""

    phrase: NounPhrase
    category: str | None
    measures: Measures
    parts: tuple[str, ...]  # "four wheels", "a door"
    tags: tuple[str, ...] = ()  # adjectives among the asset's tags

    @property
    def colors(self) -> tuple[NamedColor, ...]:
        return self.measures.colors


def subject_of(asset: Asset, measures: Measures) -> Subject:
    phrase = read_name(asset.name, asset.category)
    if not phrase.named and asset.category in (None, "prop", "unknown"):
        phrase = replace(phrase, noun=_solid(measures) or phrase.noun)
    if measures.pieces == 1 and is_plural(phrase.noun) and collective(phrase.noun) == "group":
        phrase = replace(phrase, noun=singular(phrase.noun))  # one connected piece is no group
    shares = {word: share_of(word, measures.colors) for word in phrase.colors}
    wrong = [word for word, share in shares.items() if share < _NAMED]
    accents = [word for word in wrong if shares[word] > _ACCENT]
    if accents and not phrase.after:
        phrase = replace(phrase, after=f"with {accents[0]} accents")
    said = {*phrase.adjectives, *phrase.noun.split()}
    tags = tuple(t.lower() for t in asset.tags if t.lower() in AGE | ORIGIN and t.lower() not in said)
    return Subject(
        phrase=phrase.without(*wrong),
        category=asset.category,
        measures=measures,
        parts=_parts(asset, said),
        tags=tags[:1],
    )


def _solid(measures: Measures) -> str:
    """What a thing without a name may be called by its shape alone."""
    if min(measures.width, measures.depth, measures.height) < 0.94:
        return ""
    if measures.boxy > 0.7 and measures.fill > 0.9:
        return "cube"
    return "ball" if measures.turned and measures.directions > 60 and measures.fill < 0.9 else ""


def _parts(asset: Asset, said: set[str]) -> tuple[str, ...]:
    """Named parts that a caption may name, counted."""
    named = [read_name(name, None).noun.split()[-1].lower() for name in asset.part_names if name]
    counts = Counter(noun for noun in named if noun in PARTS and noun not in said)
    found = []
    for noun, count in counts.most_common(4):
        if is_plural(noun):
            found.append(noun)
        elif count > 8:
            found.append(f"many {plural(noun)}")
        else:
            found.append(counted(count, noun))
    return tuple(found)


def captions(subject: Subject, rng: np.random.Generator) -> dict[str, list[str]]:
    """Distinct captions of each level; a level has at least one."""
    return {"short": _short(subject), "medium": _medium(subject, rng), "long": [_long(subject, rng)]}


def color_words(subject: Subject) -> str:
    """ "red", "red and white" or "": the colours that may stand before the noun."""
    colors, phrase = subject.colors, subject.phrase
    named = set(phrase.colors) - {"dark", "light"}
    if not colors or named or subject.category == "character" or {"dark", "light"} & set(phrase.adjectives):
        return ""
    if colors[0].share >= _MAIN:
        return "" if colors[0].name in phrase.noun.split() else colors[0].name
    if len(colors) > 1 and colors[1].share >= _SECOND and colors[0].share + colors[1].share >= _PAIR:
        return f"{colors[0].family} and {colors[1].family}"
    return ""


def _short(subject: Subject) -> list[str]:
    """1 to 5 words, as people type them: with and without article, adjectives and colour."""
    phrase, color = subject.phrase, color_words(subject)
    plain = replace(phrase, adjectives=(), after="")
    made = [phrase.bare(), phrase.one(), plain.one(), plain.bare()]
    if color:
        made += [phrase.bare(color), phrase.one(color, after=False), plain.one(color)]
    if not phrase.named:
        made = [plain.bare(color) if color else plain.bare(), plain.one(color) if color else plain.one()]
    return [text for text in dict.fromkeys(made) if fits(text, "short")] or [plain.noun.split()[-1]]


def _head(subject: Subject, rng: np.random.Generator, *, colored: bool = True) -> str:
    """The thing as one phrase, with colour and parts where they are known."""
    phrase, parts = subject.phrase, subject.parts
    adjectives = [*subject.tags]
    foliage = _foliage(subject)
    color = "" if foliage or not colored else color_words(subject)
    in_colors = " and " in color and rng.random() < 0.5
    if color and not in_colors:
        adjectives.append(color)
    text = phrase.one(*adjectives)
    if in_colors:
        text = f"{text} in {color}"
    if phrase.after.startswith("with") or in_colors:
        return text
    if foliage:
        return f"{text} with {foliage}"
    return f"{text} with {listed(parts)}" if parts else text


def _foliage(subject: Subject) -> str:
    """What a tree's colours are colours of."""
    if {"snow-covered", "dead"} & set(subject.phrase.adjectives):
        return ""
    if not _TREES & set(subject.phrase.noun.split()) or {"stump", "trunk", "log"} & set(
        subject.phrase.noun.split()
    ):
        return ""
    upper = [c for c in subject.colors if c.height > 0.5 and c.share > 0.3 and c.family != "brown"]
    lower = [c for c in subject.colors if c.height < 0.42 and 0.04 < c.share < 0.5]
    if len(upper) != 1 or not lower or subject.phrase.colors:
        return ""
    return f"{upper[0].name} foliage and a {lower[0].name} trunk"


def _medium(subject: Subject, rng: np.random.Generator) -> list[str]:
    """Two captions of 10 to 25 words: the thing and the most telling of its measures."""
    made: list[str] = []
    low, high = LENGTHS["medium"]
    for colored in (True, False):
        text = _head(subject, rng, colored=colored)
        clauses = sentences.clauses(subject.measures, subject.category, subject.phrase.noun, rng)
        if not (colored or _foliage(subject)):
            clauses = [*sentences.color_clause(subject.colors, subject.phrase.colors), *clauses]
        for clause in clauses:
            if words(text) >= low + 2 * (not colored):
                break
            if words(text) + words(clause) <= high:
                text = f"{text}, {clause}"
        if fits(text, "medium"):
            made.append(capitalised(text))
    return list(dict.fromkeys(made)) or [_cut(_long(subject, rng))]


def _cut(long: str) -> str:
    """Whole words of a long caption, for a name too long to say anything beside."""
    return " ".join(long.split()[: LENGTHS["medium"][1]]).rstrip(",.")


def _long(subject: Subject, rng: np.random.Generator) -> str:
    """40 to 70 words: the thing, then what is measured of it, most telling first."""
    low, high = LENGTHS["long"]
    foliage = bool(_foliage(subject))
    opening = _head(subject, rng, colored=rng.random() < 0.5)
    made = [f"{capitalised(opening)}."]
    told = sentences.sentences(subject.measures, subject.category, subject.phrase, rng, foliage=foliage)
    for sentence in told:
        total = sum(words(text) for text in made)
        if total >= low + 10:
            break
        if total + words(sentence) <= high:
            made.append(sentence)
    return " ".join(made)
