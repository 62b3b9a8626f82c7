"""Noun phrases of family details read as number, adjectives, noun and tail, and what differs between two."""

from __future__ import annotations

import re
from dataclasses import dataclass

from training.data.captions.english import is_plural, plural, with_article
from training.data.captions.lexicon import IRREGULAR
from training.data.synthetic.captions import NUMBERS
from training.data.synthetic.palette import COLORS, MATERIALS

COLOR_WORDS = frozenset((*COLORS, *MATERIALS))
ABSENT = frozenset(("no", "plain", "empty", "blank"))
NOUNS = frozenset(("cone", "drum", "globe", "dome", "ladder", "plank"))  # that families use as adjectives
_ARTICLES = ("a", "an")
_TAIL = re.compile(r" (on|at|in|of|with|from|hanging|that|underneath)\b")
_SINGULARS = {made: noun for noun, made in IRREGULAR.items()}

# Words of size: what the change to them is called.
MORE = {
    "tall": "taller",
    "high": "higher",
    "long": "longer",
    "thick": "thicker",
    "wide": "wider",
    "big": "bigger",
    "large": "larger",
    "deep": "deeper",
    "low": "lower",
    "short": "shorter",
    "thin": "thinner",
    "narrow": "narrower",
    "small": "smaller",
    "shallow": "shallower",
    "slender": "slimmer",
    "flat": "flatter",
}
OPPOSITE = {
    "tall": "shorter",
    "low": "taller",
    "wide": "narrower",
    "narrow": "wider",
    "long": "shorter",
    "short": "longer",
    "high": "lower",
    "thick": "thinner",
    "thin": "thicker",
}


@dataclass(frozen=True)
class Phrase:
    """ "four thin round legs": 4, ("thin", "round"), "legs", ""."""

    text: str
    count: int  # 0: what is said not to be there
    adjectives: tuple[str, ...]
    noun: str  # as written, singular or plural
    tail: str

    @property
    def plural(self) -> bool:
        return self.count > 1 or self.singular != self.noun

    @property
    def singular(self) -> str:
        return singular(self.noun)

    @property
    def definite(self) -> str:
        return " ".join(("the", *self.adjectives, self.noun)) + self.tail

    @property
    def bare(self) -> str:
        """Without adjectives: "the legs"."""
        return f"the {self.noun}"

    @property
    def indefinite(self) -> str:
        return a_or_an(self.text)


def read(text: str) -> Phrase:
    found = _TAIL.search(text)
    head, tail = (text[: found.start()], text[found.start() :]) if found else (text, "")
    words = head.split()
    count = 1
    if words[0] in NUMBERS:
        count = NUMBERS.index(words.pop(0))
    elif words[0] in _ARTICLES:
        words.pop(0)
    elif words[0] != singular(words[-1]) and plural(singular(words[-1])) == words[-1]:
        count = 2
    if words and words[0] in ABSENT:
        count = 0
        words.pop(0)
    return Phrase(text, count, tuple(words[:-1]), words[-1], tail)


def singular(noun: str) -> str:
    if noun in _SINGULARS:
        return _SINGULARS[noun]
    return noun[:-1] if is_plural(noun) and noun.endswith("s") else noun


def a_or_an(text: str) -> str:
    """An article that suits the next word, wherever one stands."""
    return re.sub(r"\ba (\S+)", lambda found: with_article(found[1]), text)
