"""Whether a clause names one thing that can be seen from all sides, by rules of English word order."""

from __future__ import annotations

import re

from training.data.assets.asset import Rejected
from training.data.synthesis import words

_PLACED = words.of(
    "in on at under near by beside against inside outside through during above over before within across "
    "along into from amid amidst atop around beneath below behind underneath"
)
_HEADED = re.compile(
    r"(?:headed|legged|tiered|story|storey|seater|door|handled|wheeled|tone|sided|armed|eyed|piece|masted|"
    r"winged|pronged|drawer|bladed|person|seat|way|part|layered|layer)$"
)
_ADJECTIVE = re.compile(
    r"(?:y|ed|ish|al|ic|ful|ous|ive|less|ant|ent|ible|able|en|ing|ary|ar|ian|ese|esque|like)$"
)
_FOREIGN = words.of(
    "un una el los las de del der die das ein eine le les des du en con und mit dans sur avec um uma com "
    "para por auf im et il lo gli della ist nicht que na nao em ein eines einer na ze w z i"
)
_DETERMINERS = words.of("a an the his her their its two three one another some")


def check_words(clean: str, *, people: bool) -> None:
    """Raises Rejected: unsafe, not_english, no_object, named."""
    letters = [char for char in clean if char.isalpha()]
    if len(letters) < 3:
        raise Rejected("no_object", "It has no words.")
    if sum(not char.isascii() for char in letters) > 0.1 * len(letters):
        raise Rejected("not_english", "Its letters are not those of English.")
    tokens = re.findall(r"[\w'-]+", clean)
    if unsafe := words.UNSAFE.intersection(tokens):
        raise Rejected("unsafe", f"It says {min(unsafe)}.")
    if sum(word in _FOREIGN for word in tokens[:12]) >= 2:
        raise Rejected("not_english", "Its small words are not those of English.")
    if not people and (named := words.NAMES.intersection(tokens)):
        raise Rejected("named", f"It names {min(named)}.")


def without_setting(subject: str) -> tuple[str, str]:
    """The clause without where the thing is ("on a beach", "in the rain"), and what was cut."""
    tokens = subject.split()
    start = 1
    while (place := _next_place(tokens, start)) is not None:
        end = place + 1
        while end < len(tokens) and tokens[end] not in words.PREPOSITIONS:
            end += 1
        if _names_setting(tokens[place + 1 : end]):
            return _standing(tokens[:place]), " ".join(tokens[place:])
        start = place + 1
    return _standing(tokens), ""


def _standing(tokens: list[str]) -> str:
    """Without the pose at the end: "a robot standing", "a cat sleeping"."""
    end = len(tokens)
    while end > 1 and (
        words.POSES.search(tokens[end - 1]) or (tokens[end - 1].endswith("ing") and _does(tokens[end - 1]))
    ):
        end -= 1
    return " ".join(tokens[:end])


def _next_place(tokens: list[str], start: int) -> int | None:
    return next((i for i in range(start, len(tokens)) if tokens[i] in _PLACED), None)


def names_setting(clause: str) -> bool:
    """Whether a clause is a place, a time or weather: "dark forest", "at night"."""
    tokens = [word for word in clause.split() if word not in _PLACED]
    first = next((i for i, word in enumerate(tokens) if word in words.PREPOSITIONS), len(tokens))
    return _names_setting(tokens[:first])


def _names_setting(phrase: list[str]) -> bool:
    return bool(phrase) and (phrase[-1] in words.SETTINGS or phrase[-1].removesuffix("s") in words.SETTINGS)


def require(subject: str, most: int) -> str:
    """The noun of the one thing that a clause names.

    Raises Rejected: no_object, several_objects, scene, too_complex.
    """
    tokens = [word for word in re.findall(r"[\w'/&-]+", subject) if word]
    phrase = _noun_phrase(tokens)
    if not phrase or phrase[0] in words.SENTENCES:
        raise Rejected("no_object", f"{subject!r} names no thing.")
    noun = phrase[-1]
    _check_kind(noun, subject)
    if relation := words.RELATIONS.search(subject):
        raise Rejected("several_objects", f"{relation.group(0)!r} relates things to each other.")
    _check_number(tokens, phrase, noun)
    if len(tokens) - (tokens[0] in words.SMALL_WORDS) > most:
        raise Rejected("too_complex", f"Its subject has {len(tokens)} words.")
    return noun


def _noun_phrase(tokens: list[str]) -> list[str]:
    """Words from after the article up to the first that begins something else."""
    start = 0
    while start < len(tokens) and tokens[start] in words.SMALL_WORDS:
        start += 1
    end = start
    while end < len(tokens) and (tokens[end] not in words.PREPOSITIONS or _joins_adjectives(tokens, end)):
        end += 1
    while end - start > 1 and end < len(tokens) and _does(tokens[end - 1]):  # "armchair upholstered in"
        end -= 1
    return tokens[start:end]


def _does(word: str) -> bool:
    """Whether it may be a participle."""
    return word.endswith("ed") or (word.endswith("ing") and word not in words.THINGS_ING)


def _joins_adjectives(tokens: list[str], place: int) -> bool:
    """ "black and white cat": the "and" is within the phrase."""
    if tokens[place] not in ("and", "or") or not 0 < place < len(tokens) - 2:
        return False
    return _is_adjective(tokens[place - 1]) and tokens[place + 1] not in _DETERMINERS


def _is_adjective(word: str) -> bool:
    return word in words.COLORS or word in words.MATERIALS or bool(_ADJECTIVE.search(word))


def _check_kind(noun: str, subject: str) -> None:
    if noun in words.SCENES:
        raise Rejected("scene", f"A {noun} is a place or an event.")
    if noun in words.ABSTRACT or len(noun) < 2 or noun[0].isdigit():
        raise Rejected("no_object", f"{noun!r} cannot be seen from all sides.")
    if noun in words.EMPTY_ADJECTIVES or noun in words.COLORS:
        raise Rejected("no_object", f"{subject!r} has no noun.")


def _check_number(tokens: list[str], phrase: list[str], noun: str) -> None:
    """One thing: no counts, groups, plurals or other things joined by "and"."""
    for i, word in enumerate(tokens):
        following = tokens[i + 1] if i + 1 < len(tokens) else ""
        if word in words.MANY and word in phrase and not _HEADED.search(following):
            raise Rejected("several_objects", f"It says {word}.")
        if (
            word == "and"
            and (following in _DETERMINERS or word not in phrase)
            and not _within_details(tokens[:i])
        ):
            raise Rejected("several_objects", f"{' '.join(tokens[max(i - 1, 0) : i + 3])!r} joins things.")
    after = tokens[tokens.index(noun) + 1 :]
    if noun in words.GROUPS and after[:1] == ["of"]:
        if not (noun == "pair" and words.PAIRS.intersection(after)):
            raise Rejected("several_objects", f"A {noun} is many things.")
    elif noun in words.IRREGULAR_PLURALS or is_plural(noun):
        raise Rejected("several_objects", f"{noun!r} are many.")


def _within_details(before: list[str]) -> bool:
    """After "with" or "made of", "and" joins parts or materials of the one thing."""
    return bool(
        {"with", "of", "wearing", "holding", "made", "in", "covered", "decorated"}.intersection(before)
    )


def is_plural(noun: str) -> bool:
    return noun.endswith("s") and noun not in words.PAIRS and not words.SINGULAR_S.search(noun)
