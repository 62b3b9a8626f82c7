"""What an asset's name says: file names and kits' labels read as the noun phrases people would write.

"SM_TreePine_tall_02" is a tall pine tree, "wall_window_round" a wall with a round window.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from training.data.captions.english import is_mass, is_plural, number, one, plural, with_article
from training.data.captions.lexicon import (
    AGE,
    BEARERS,
    BORNE,
    CAPITALS,
    CATEGORY_NOUNS,
    COLORS,
    COMPOUNDS,
    CONTENTS,
    FOOD_PARTS,
    HOLDERS,
    KINDS,
    MATERIAL,
    NAMELESS,
    NOISE,
    ORIGIN,
    PHRASES,
    PLACES,
    QUALITY,
    QUANTITIES,
    ROOMS,
    SHAPE,
    SIZE,
    SPELLING,
    STATE,
    TRAILING,
    of,
)

_ORDER = (QUALITY, SIZE, STATE, SHAPE, AGE, COLORS, ORIGIN)
_ADJECTIVES = QUALITY | SIZE | STATE | SHAPE | AGE | COLORS | ORIGIN
_FUNCTION = of("of with and without in on for the to a an by at n or from under over")
_EXTENSION = re.compile(r"\.(?:glb|gltf|obj|fbx|stl|ply|blend|usd[acz]?|dae|3ds)\b", re.I)
# Sizes compared with what stood beside it in its kit.
_SIZES = {"medium": "medium-sized", "larger": "large", "bigger": "big"}
_COUNTED = re.compile(r"\b([1-9]) (story|tier|point|way|legged|handed|seater)\b")
_WITH_SOME = re.compile(r"\bwith ([1-9]) (?=[a-z]+s\b)")
_COUNTS = re.compile(r"(?:one|two|three|four|five|six|seven|eight|nine|\d+)-[a-z]+")
_OF_PARTS = SIZE | {"gable", "round", "flat"}  # said of the roof or doors that follow
_SEVERAL = {"double": "two", "triple": "three", "quad": "four"}


@dataclass(frozen=True, kw_only=True)
class NounPhrase:
    """One thing as it is called."""

    noun: str  # with the kinds and materials that belong to it: "pine tree"
    adjectives: tuple[str, ...] = ()  # in natural order, colours among them
    after: str = ""  # what follows the noun: "with a round window", "of coins"
    named: bool = True  # False: the category alone

    @property
    def colors(self) -> tuple[str, ...]:
        return tuple(word for word in self.adjectives if word in COLORS)

    def without(self, *dropped: str) -> NounPhrase:
        return replace(self, adjectives=tuple(word for word in self.adjectives if word not in dropped))

    def bare(self, *extra: str, after: bool = True) -> str:
        """No article. Extra adjectives (colours) stand where they belong."""
        words = [*ordered((*self.adjectives, *extra)), self.noun]
        return " ".join([*words, self.after] if after and self.after else words)

    def one(self, *extra: str, after: bool = True) -> str:
        """As one thing: "a tall pine tree", "a group of rocks"."""
        phrase = one(self.bare(*extra, after=False), self.noun)
        return f"{phrase} {self.after}" if after and self.after else phrase


def ordered(adjectives: Sequence[str]) -> list[str]:
    """In the order English has them: size before state before shape before colour."""

    def rank(phrase: str) -> int:
        last = phrase.split()[-1].lower()
        return next((i for i, words in enumerate(_ORDER) if last in words), len(_ORDER))

    return sorted(dict.fromkeys(adjectives), key=rank)


def read_name(name: str, category: str | None) -> NounPhrase:
    """The phrase of a name, or that of the category where the name says nothing."""
    words = _words(name)
    if category == "character":
        person = _person(words)
        if person is not None:
            return person
    nouns = [word for place, word in enumerate(words) if not _describes(word, place, words, category)]
    if not words or all(word in NAMELESS and (word, category) != ("plane", "vehicle") for word in nouns):
        kept = tuple(word for word in words if word in _ADJECTIVES - SIZE)
        return NounPhrase(noun=CATEGORY_NOUNS.get(category or "", "object"), adjectives=kept, named=False)
    if any(word in _FUNCTION for word in words):
        return _sentence(words)
    return _parsed(words, category)


def _words(name: str) -> list[str]:
    """Lower-case words of any file name, spelt as people do, without noise."""
    text = _EXTENSION.sub("", name)
    text = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", text)
    text = re.sub(r"(?<=[a-z]{2})(?=\d)|(?<=\d)(?=[a-z]{3})", " ", text.lower())
    text = " ".join(re.findall(r"[a-z0-9']+", text.replace("_", " ")))
    text = " ".join(SPELLING.get(word, word) for word in text.split())
    text = _WITH_SOME.sub(lambda match: f"with {number(int(match[1]))} ", text)
    text = _COUNTED.sub(lambda match: f"{number(int(match[1]))}-{match[2]}", text)
    for pattern, said in PHRASES:
        text = " ".join(pattern.sub(said, text).split())
    text = COMPOUNDS.sub(lambda match: match[0].replace(" ", "_"), text)
    words = [word for word in text.split() if word not in NOISE and not _is_noise(word)]
    return _placed([*dict.fromkeys(words)])


def _placed(words: list[str]) -> list[str]:
    """Without the sides of modular pieces: "gate left", "platform top middle"."""
    while len(words) > 1 and words[-1] in ("left", "right", "center", "with", "and", "of", "the"):
        words = words[:-1]
    if len(words) > 2 and {words[-1], words[-2]} <= PLACES:
        words = words[:-2]
    return words


def _is_noise(word: str) -> bool:
    if len(word) == 1:
        return word != "a"
    numbered = any(letter.isdigit() for letter in word)
    return numbered and word not in CAPITALS and not _COUNTS.fullmatch(word)


def _person(words: list[str]) -> NounPhrase | None:
    """ "smooth female dress": a woman in a dress."""
    who = next((w for w in words if w in ("male", "female", "man", "woman")), None)
    if who is None or "hairstyle" in words:
        return None
    noun = "woman" if who in ("female", "woman") else "man"
    rest = [w for w in words if w not in (who, "smooth", "human", "character")]
    text = " ".join(rest)
    if text == "standing hips":
        return NounPhrase(noun=noun, after="standing with hands on hips")
    if text.startswith(("sitting", "standing", "walking", "running", "looking", "picking", "waving")):
        return NounPhrase(
            noun=noun,
            after=text.replace("sitting cheering", "sitting and cheering")
            .replace("standing covering", "standing and covering the")
            .replace("standing waving", "standing and waving"),
        )
    if text in ("casual", "formal", "beach"):
        return NounPhrase(noun=noun, after=f"in {text} clothes")
    if text in ("dress", "suit", "shirt", "tank top", "long sleeve", "long sleeve shirt", "spacesuit"):
        worn = "long-sleeved shirt" if text.startswith("long") else text
        return NounPhrase(noun=noun, after=f"in {with_article(worn)}")
    if not rest or text == "alternative":
        return NounPhrase(noun=noun)
    if text in ("medieval", "sci-fi", "old", "young"):
        return NounPhrase(noun=noun, adjectives=(text,))
    role = "SWAT officer" if text == "swat" else text
    return NounPhrase(noun=role) if len(rest) == 1 else None


def _sentence(words: list[str]) -> NounPhrase:
    """Written as people write: "stack of breeze blocks", "sword with shield"."""
    cut = next(i for i, word in enumerate(words) if word in _FUNCTION)
    if cut == 0 or words[cut] == "and":
        front, after = words, []
    else:
        front, after = words[:cut], words[cut:]
    tail = [_spelt(word) for word in after]
    if len(tail) > 1 and tail[0] == "with" and tail[1] not in ("a", "an", "the", "one", "two", "three"):
        noun = " ".join(tail[1:])
        tail = ["with", one(noun, noun) if not is_plural(noun) else noun]
    if "and" in front:
        return NounPhrase(noun=" ".join(_spelt(word) for word in front))
    phrase = _parsed(front, None)
    return replace(phrase, after=" ".join([*([phrase.after] if phrase.after else []), *tail]))


def _parsed(words: list[str], category: str | None) -> NounPhrase:
    """By the nouns' order and the tables of kinds, parts and contents."""
    groups: list[tuple[list[str], list[str]]] = []  # (adjectives, nouns) by the noun they stand with
    adjectives: list[str] = []
    nouns: list[str] = []
    for place, word in enumerate(words):
        if _describes(word, place, words, category):
            adjectives.append(word)
        else:
            nouns.append(word)
            groups.append(([], []))
    after, bound = _after(words, nouns, category)
    adjectives = [word for word in adjectives if word not in bound[0]]
    nouns = [word for word in nouns if word not in bound[1]]
    materials = [MATERIAL[w] for i, w in enumerate(nouns) if i and w in MATERIAL and nouns[0] not in MATERIAL]
    if materials:
        nouns = [word for i, word in enumerate(nouns) if i == 0 or word not in MATERIAL]
    trailing = [TRAILING[w] for w in nouns[1:] if w in TRAILING]
    nouns = [w for i, w in enumerate(nouns) if i == 0 or w not in TRAILING]
    noun, held = _compound(nouns)
    said = " ".join([*materials[:1], *(_spelt(word) for word in noun)])
    if held:  # "a large group of red mushrooms"
        own = [word for word in adjectives if word not in SIZE]
        held = " ".join(["of", *(_spelt(word) for word in [*ordered(own), *held.split()[1:]])])
        adjectives = [word for word in adjectives if word in SIZE]
    kept = tuple(_spelt(_SIZES.get(word, word)) for word in ordered([*adjectives, *trailing]))
    return NounPhrase(noun=said, adjectives=kept, after=" ".join(part for part in (held, after) if part))


def _describes(word: str, place: int, words: list[str], category: str | None) -> bool:
    if _COUNTS.fullmatch(word):
        return True
    if len(words) == 1 and word in ("orange", "giant"):
        return False
    if word not in _ADJECTIVES:
        return False
    if category == "food" and word == "half" and place:
        return False  # "avocado half"
    if word in ("orange", "gold", "cream", "tan") and place == 0:
        return len(words) > 1 and words[1] not in ("crop", "slice", "half", "juice", "tree", "ring", "cheese")
    return not (word == "flat" and len(words) == 1)


def _after(words: list[str], nouns: list[str], category: str | None) -> tuple[str, tuple[set[str], set[str]]]:
    """What a wall has in it or a crate holds, and the adjectives and nouns that are spent on it."""
    head = next((noun for noun in nouns if noun not in ROOMS), nouns[0] if nouns else "")
    start = words.index(head) if head else 0
    if head in HOLDERS:
        held = [word for word in nouns[1:] if word in CONTENTS]
        if held and len(nouns) == 2:
            return f"of {CONTENTS[held[0]]}", (set(), {held[0]})
    if head.split("_")[-1] not in BEARERS:
        return "", (set(), set())
    parts = [(i, w) for i, w in enumerate(words) if i > start and w in BORNE and w not in KINDS.get(head, ())]
    if not parts:
        return "", (set(), set())
    spent_adjectives: set[str] = set()
    phrases = []
    ends = [*(i for i, _ in parts[1:]), len(words)]
    for (i, part), end in zip(parts, ends, strict=True):
        own = [
            w for w in words[i + 1 : end] if w in _ADJECTIVES and w not in ("half", "decorated", "modular")
        ]
        if category in ("building", "building_part") and i - 1 > start and words[i - 1] in _OF_PARTS:
            own = [words[i - 1], *own]
        made = [w for w in words[i + 1 : end] if w in MATERIAL]
        spent_adjectives |= set(own)
        bare = " ".join([*ordered(own), *(MATERIAL[w] for w in made), _spelt(part)])
        several = next((word for word in own if word in _SEVERAL), "")
        if several and part == "tree":
            bare = f"{_SEVERAL[several]} {plural(part)}"
        phrases.append(
            bare if (several and part == "tree") or is_plural(part) or is_mass(part) else with_article(bare)
        )
    rest = (
        spent_adjectives
        | {w for _, w in parts}
        | {w for i, _ in parts for w in words[i + 1 :] if w in MATERIAL}
    )
    listed = " and ".join(phrases[:2])
    return f"with {listed}", (spent_adjectives, rest)


def _compound(nouns: list[str]) -> tuple[list[str], str]:
    """Nouns in the order people say them, and "of coins" where the name is a quantity."""
    if len(nouns) < 2:
        return nouns or ["object"], ""
    head, *rest = nouns
    if rest[-1] in QUANTITIES:
        held = " ".join(_spelt(word) for word in nouns[:-1])
        return [QUANTITIES[rest[-1]]], f"of {plural(held)}"
    kinds = [word for word in rest if word in KINDS.get(head, ())]
    if kinds:
        others = [word for word in rest if word not in kinds and word not in FOOD_PARTS]
        return [*kinds, head, *others], ""
    return nouns, ""


def _spelt(word: str) -> str:
    return CAPITALS.get(word, word).replace("_", " ")
