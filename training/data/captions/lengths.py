"""The three lengths of the paper's captions (sections 3.4 and 3.5), and how varied a set of captions is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

LENGTHS: Mapping[str, tuple[int, int]] = {"short": (1, 5), "medium": (10, 25), "long": (40, 70)}
_TOKEN = re.compile(r"[\w'-]+")


def words(text: str) -> int:
    return len(text.split())


def fits(text: str, level: str) -> bool:
    """Whether a caption has as many words as its level asks for."""
    low, high = LENGTHS[level]
    return low <= words(text) <= high


def check(captions: Mapping[str, Sequence[str]]) -> None:
    """Raises ValueError that names the first caption of a wrong length or level."""
    for level, texts in captions.items():
        if level not in LENGTHS:
            raise ValueError(f"{level!r} is no level of captions; there are {', '.join(LENGTHS)}")
        for text in texts:
            if not fits(text, level):
                low, high = LENGTHS[level]
                raise ValueError(f"a {level} caption has {low} to {high} words, not {words(text)}: {text!r}")


def distinct(texts: Iterable[str], n: int) -> float:
    """Distinct n-grams over all n-grams (Li et al. 2016): 1 where nothing is said twice; 0 without any."""
    total, seen = 0, set()
    for text in texts:
        tokens = _TOKEN.findall(text.lower())
        grams = list(zip(*(tokens[i:] for i in range(n)), strict=False))
        total += len(grams)
        seen.update(grams)
    return len(seen) / total if total else 0.0
