"""The fixed prompts that models are judged by: twenty-four kinds of object, and nouns that no caption holds.

Neither list is tuned to results. Novel prompts are the first twelve candidates that the captions allow.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from training.data import corpus
from training.data.shards.dataset import Dataset
from training.data.shards.pack import LEVELS

PROMPTS = (
    "a round wooden table",
    "a tall narrow bookshelf with five shelves",
    "a three-legged stool",
    "a high-backed wooden chair",
    "a red couch with three seat cushions",
    "a four-poster bed",
    "a teapot with a long spout",
    "a tall mug with a large handle",
    "a slender vase with two handles",
    "a treasure chest with a rounded lid",
    "a two-story house with a chimney",
    "a round castle tower with battlements",
    "a windmill with four sails",
    "a striped lighthouse with a lantern room on top",
    "a snowy pine tree",
    "a palm tree with a curved trunk",
    "a tall cactus with two arms in a clay pot",
    "a mushroom with a domed red cap",
    "a pickup truck",
    "a propeller airplane",
    "a sailboat with a triangular white sail",
    "a rocket with four fins",
    "a long sword with a straight guard",
    "a robot with a square head and two antennas",
)


@dataclass(frozen=True, kw_only=True)
class NovelPrompt:
    """A prompt and the words in it that training must not have seen."""

    text: str
    words: tuple[str, ...]


def _novel(text: str, *words: str) -> NovelPrompt:
    return NovelPrompt(text=text, words=words)


# In the order in which they are taken. Each names something whose shape some family of the generator has.
NOVEL_CANDIDATES = (
    _novel("a sofa", "sofa"),
    _novel("a teacup", "teacup"),
    _novel("a cupboard", "cupboard"),
    _novel("a fir", "fir"),
    _novel("an automobile", "automobile"),
    _novel("a spaceship", "spaceship"),
    _novel("a boulder", "boulder"),
    _novel("an urn", "urn"),
    _novel("a tombstone", "tombstone"),
    _novel("a yacht", "yacht"),
    _novel("a lorry", "lorry"),
    _novel("an aeroplane", "aeroplane"),
    _novel("an android", "android"),
    _novel("a cottage", "cottage"),
    _novel("a parasol", "parasol"),
    _novel("a toadstool", "toadstool"),
    _novel("a hatchet", "hatchet"),
    _novel("a settee", "settee"),
    _novel("a katana", "katana"),
    _novel("a lamppost", "lamppost"),
    _novel("an armoire", "armoire"),
    _novel("a keg", "keg"),
    _novel("a turret", "turret"),
    _novel("a kettle", "kettle"),
)


def vocabulary(captions: Iterable[str]) -> frozenset[str]:
    """All words of the captions, lower case; of hyphenated words the whole and the parts."""
    words: set[str] = set()
    for caption in captions:
        for word in re.findall(r"[a-z0-9-]+", caption.lower()):
            words.update((word, *word.split("-")))
    return frozenset(words)


def dataset_captions(folders: Iterable[Path]) -> Iterator[str]:
    """All captions of data folders, of every split. ValueError for one without any."""
    for folder in folders:
        for shard in Dataset(folder).shards("texts"):
            for level in LEVELS:
                for captions in shard.texts(level):
                    yield from captions


def corpus_captions(root: Path) -> Iterator[str]:
    """Captions of a whole corpus, its test split included."""
    for entry in corpus.read_index(root):
        yield from corpus.captions(entry)


def novel_prompts(
    words: frozenset[str], *, wanted: int = 12, candidates: tuple[NovelPrompt, ...] = NOVEL_CANDIDATES
) -> tuple[tuple[str, ...], dict[str, tuple[str, ...]]]:
    """The first `wanted` candidates whose words are not in a vocabulary, and why those before them fell out.

    A word counts as seen in the plural and within a longer word too ("sofabed"). Raises ValueError where too
    few are left.
    """
    chosen: list[str] = []
    refused: dict[str, tuple[str, ...]] = {}
    for candidate in candidates:
        if len(chosen) == wanted:
            break
        seen = tuple(sorted(word for word in words if _contains(word, candidate.words)))
        if seen:
            refused[candidate.text] = seen
        else:
            chosen.append(candidate.text)
    if len(chosen) < wanted:
        raise ValueError(f"only {len(chosen)} of {wanted} candidates have unseen words; seen: {refused}")
    return tuple(chosen), refused


def _contains(word: str, novel: tuple[str, ...]) -> bool:
    """Short words must match whole, or "fir" would be seen in "fire"."""
    return any(n in word if len(n) > 3 else word in (n, f"{n}s") for n in novel)
