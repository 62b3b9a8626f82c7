"""Articles, plurals, numbers and lists."""

from __future__ import annotations

from collections.abc import Sequence

from training.data.captions.lexicon import (
    IRREGULAR,
    MASS,
    PAIRED,
    PLURALS,
    SETS,
    SINGULAR,
    VOWEL_EXCEPTIONS,
    VOWEL_SOUND,
)

_NUMBERS = tuple(
    "zero one two three four five six seven eight nine ten eleven twelve".split()  # noqa: SIM905
)


def head(noun: str) -> str:
    """The word that the rest describes: "piece" of "small piece of furniture"."""
    return noun.lower().partition(" of ")[0].split()[-1]


def is_plural(noun: str) -> bool:
    last = head(noun)
    if last in PLURALS:
        return True
    return last.endswith("s") and not SINGULAR.search(last) and last not in MASS


def is_mass(noun: str) -> bool:
    return head(noun) in MASS


def plural(noun: str) -> str:
    """ "wooden leg" -> "wooden legs"."""
    *front, last = noun.split()
    if is_plural(last) or is_mass(last):
        return noun
    if last in IRREGULAR:
        made = IRREGULAR[last]
    elif last.endswith(("s", "x", "z", "ch", "sh")):
        made = last + "es"
    elif last.endswith("y") and last[-2:-1] not in "aeiou":
        made = last[:-1] + "ies"
    else:
        made = last + "s"
    return " ".join([*front, made])


def singular(noun: str) -> str:
    """ "rock platforms" -> "rock platform"; words of irregular plurals stay."""
    if not noun.endswith("s") or head(noun) in PLURALS:
        return noun
    if noun.endswith("ies"):
        return f"{noun[:-3]}y"
    return noun[:-2] if noun.endswith(("shes", "ches", "xes")) else noun[:-1]


def with_article(phrase: str) -> str:
    """ "an oak", "a UFO"."""
    vowel = bool(VOWEL_SOUND.match(phrase)) and not VOWEL_EXCEPTIONS.match(phrase)
    return f"{'an' if vowel else 'a'} {phrase}"


def one(phrase: str, noun: str) -> str:
    """The phrase as one thing: "a red chair", "a pair of scissors", "a group of rocks", "grass"."""
    if is_mass(noun):
        return phrase
    if not is_plural(noun):
        return with_article(phrase)
    return with_article(f"{collective(noun)} of {phrase}")


def collective(noun: str) -> str:
    last = head(noun)
    return "pair" if last in PAIRED else SETS.get(last, "group")


def number(n: int) -> str:
    return _NUMBERS[n] if n < len(_NUMBERS) else str(n)


def counted(n: int, noun: str) -> str:
    """ "a door", "four legs"."""
    return with_article(noun) if n == 1 else f"{number(n)} {plural(noun)}"


def listed(phrases: Sequence[str]) -> str:
    return phrases[0] if len(phrases) == 1 else f"{', '.join(phrases[:-1])} and {phrases[-1]}"


def capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]
