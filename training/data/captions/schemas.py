"""What is asked at each turn of the captioning chain, and the form an answer must have (paper, section 3.4).

Every answer begins with its reasoning, so that the model thinks before it claims.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, Struct

Text = Annotated[str, Meta(min_length=1, max_length=4000)]
Score = Annotated[float, Meta(ge=0, le=10)]
A = TypeVar("A", bound=Struct)


class ViewDescription(Struct, forbid_unknown_fields=True):
    picture: str  # its name, as given
    description: Text


class Views(Struct, forbid_unknown_fields=True):
    """Descriptions of each picture: what later turns hold on to."""

    reasoning: Text
    views: list[ViewDescription]


class Orientation(Struct, forbid_unknown_fields=True):
    """Which pictures show the same places, and so which way the object faces."""

    reasoning: Text
    correspondences: list[Text]  # "the handle on the left of front is on the right of back"
    front: str  # name of the picture that shows the object's own front
    upright: bool  # whether it stands as it should


class Analysis(Struct, forbid_unknown_fields=True):
    reasoning: Text
    appearance: Text
    geometry: Text
    function: Text
    origin: Text  # where in the real world, in what culture or fiction it belongs


class Caption(Struct, forbid_unknown_fields=True):
    reasoning: Text
    paragraph: Text
    category: Text


class Captions(Struct, forbid_unknown_fields=True):
    """The three lengths; `short` are variants in the manner of the examples."""

    reasoning: Text
    short: list[Text]
    medium: list[Text]
    long: list[Text]


class Scores(Struct, forbid_unknown_fields=True):
    """How well each caption fits the pictures, in the order given."""

    reasoning: Text
    scores: list[Score]


def schema_of(kind: type[Struct]) -> dict[str, Any]:
    """JSON schema in one piece: every field required, none but these, no references."""
    (root,), parts = msgspec.json.schema_components([kind], ref_template="{name}")
    return {**_inlined(root, parts), "title": kind.__name__}


def _inlined(part: Any, parts: Mapping[str, Any]) -> Any:
    if isinstance(part, list):
        return [_inlined(entry, parts) for entry in part]
    if not isinstance(part, dict):
        return part
    if "$ref" in part:
        return _inlined(parts[part["$ref"]], parts)
    return {name: _inlined(value, parts) for name, value in part.items()}


def read_answer(text: str, kind: type[A]) -> A:
    """The JSON in an answer, with or without words or fences around it. Raises ValueError."""
    start, end = text.find("{"), text.rfind("}")
    if "</think>" in text:
        start = text.find("{", text.rfind("</think>"))
    if start < 0 or end < start:
        raise ValueError("the answer holds no JSON object")
    try:
        return msgspec.convert(json.loads(text[start : end + 1]), kind, strict=False)
    except (json.JSONDecodeError, msgspec.ValidationError) as error:
        raise ValueError(str(error)) from error
