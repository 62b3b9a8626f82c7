"""The questions of the captioning chain, turn by turn."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from training.data.captions.lengths import LENGTHS

SYSTEM = (
    "You describe single 3D objects for people who will type such descriptions to get a 3D model. You are "
    "shown pictures of one object from several sides, without background. Say only what can be seen or is "
    "given; never guess colors, counts or materials. The pictures' light, background and rendering are not "
    "part of the object and are never mentioned. Answer with one JSON object of the schema you are given, "
    "and think in its field `reasoning` before you fill the others."
)
ORIENTATION = (
    "Find places of the object that are seen in more than one of the pictures and say where each lies in "
    "them. From this, decide which picture shows the object's own front: the side that people would call "
    "its face or that it turns to its user. Say too whether the object stands upright as it is pictured."
)
ANALYSIS = (
    "With the object oriented, analyze it: its appearance (colors, materials, patterns, wear), its geometry "
    "(overall shape, proportions, symmetry, parts and how many, how they join), its likely function, and "
    "its origin in the real world or in fiction."
)


def views(names: Sequence[str], metadata: Mapping[str, Any]) -> str:
    """The first question, with what the asset's file says."""
    known = {name: value for name, value in metadata.items() if value}
    facts = (
        "The file that holds the object says of it, in its author's words, which may be abbreviated or "
        f"wrong: {json.dumps(known, ensure_ascii=False)}. "
        if known
        else ""
    )
    return (
        f"These are {len(names)} pictures of one object, in this order: {', '.join(names)}. {facts}"
        "Describe every picture by itself in great detail: the parts that are visible, where they lie, "
        "their shapes, colors and number."
    )


def caption(categories: Sequence[str]) -> str:
    choice = (
        f"one of: {', '.join(categories)}" if categories else "one or two words, such as `chair` or `tree`"
    )
    return (
        "Write one paragraph of at least 40 words that describes the whole object: what it is, its overall "
        "shape, its parts, their colors and materials and how they are arranged. Then give its category: "
        f"{choice}."
    )


def captions(examples: Sequence[str], variants: int) -> str:
    shown = "".join(f"\n- {example}" for example in examples)
    manner = f" People caption objects of this kind like this:{shown}\n" if examples else " "
    low, high = LENGTHS["long"]
    return (
        f"Now write captions of the object in three lengths.{manner}"
        f"`short`: {variants} captions of 1 to 5 words that people might type, each in other words and "
        "another structure, in the manner of these people but about this object. `medium`: one or two of "
        f"10 to 25 words. `long`: one of {low} to {high} words. Count the words."
    )


def scores(texts: Sequence[str]) -> str:
    numbered = "".join(f"\n{number}. {text}" for number, text in enumerate(texts, start=1))
    return (
        "Look at the pictures again and judge each of these captions as a stranger would, without mercy: "
        "10 says that all of it can be seen in the pictures, 5 that a detail is wrong or cannot be seen, 0 "
        f"that it describes something else. Give one score a caption, in order:{numbered}"
    )


def with_schema(question: str, schema: Mapping[str, Any]) -> str:
    """For models whose server does not hold them to a schema."""
    return f"{question}\n\nAnswer with JSON of this schema: {json.dumps(schema)}"


def again(wrong: str) -> str:
    return f"That answer cannot be used: {wrong}. Answer again with the whole JSON object."
