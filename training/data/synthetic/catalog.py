"""All families, the words held out of their captions, and `generate`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from . import furniture, vessels
from .captions import Draft, captions
from .objects import SyntheticObject, canonical

FAMILIES: dict[str, Callable[[np.random.Generator], Draft]] = {
    "bed": furniture.bed,
    "bench": furniture.bench,
    "chair": furniture.chair,
    "couch": furniture.sofa,
    "stool": furniture.stool,
    "table": furniture.table,
    "barrel": vessels.barrel,
    "bottle": vessels.bottle,
    "bowl": vessels.bowl,
    "bucket": vessels.bucket,
    "mug": vessels.mug,
    "vase": vessels.vase,
}

HELD_OUT_SYNONYMS: dict[str, tuple[str, ...]] = {
    "couch": ("sofa", "settee"),
    "mug": ("coffee cup", "teacup"),
    "barrel": ("cask", "keg"),
    "bottle": ("flask",),
    "vase": ("urn",),
    "bowl": ("basin",),
    "bed": ("cot",),
}


def generate(seed: int, family: str | None = None) -> SyntheticObject:
    """The object of a seed, of the named family or of one the seed chooses."""
    if family is not None and family not in FAMILIES:
        raise ValueError(f"unknown family {family!r}; known: {', '.join(sorted(FAMILIES))}")
    rng = np.random.default_rng(seed)
    drawn = sorted(FAMILIES)[int(rng.integers(len(FAMILIES)))]
    family = family or drawn
    draft = FAMILIES[family](rng)
    return SyntheticObject(
        family=family,
        parts=canonical(tuple(draft.parts)),
        attributes=draft.attributes,
        captions=captions(draft, rng),
    )
