"""The captions step: three lengths for each asset, by rules or by a model (paper, sections 3.4 and 3.5).

The facts are the captions; the product is how they came about: what was measured, or the conversation.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np

from training.data.assets.asset import Asset, Rejected, read_asset
from training.data.captions import lengths, rules
from training.data.captions.chain import ChainSettings, describe
from training.data.captions.examples import own_examples, read_examples
from training.data.captions.interface import VisionLanguageModel
from training.data.captions.measures import measure
from training.data.captions.server import ServedModel, key_of
from training.data.geometry.procedural import original
from training.data.geometry.step import read_geometry
from training.data.rendering.product import read_views
from training.data.steps import DataError, Item, Step, seed_of

_PICTURES = ("front", "back", "left", "right", "top", "bottom")


@dataclass(frozen=True, kw_only=True)
class CaptionSettings:
    """Who captions, and how."""

    captioner: Literal["rules", "local", "server"] = "rules"
    model: str = ""  # local: a folder or a hub id; server: the model's name there
    url: str = ""  # of the server, up to and with "/v1"
    key_variable: str = "OPENAI_API_KEY"  # environment variable with the server's key, if it wants one
    max_tokens: int = 4096  # of an answer
    examples: str = ""  # JSON lines of people's captions; empty: a few of our own
    chain: ChainSettings = field(default_factory=ChainSettings)

    def __post_init__(self) -> None:
        if self.captioner != "rules" and not self.model:
            raise ValueError(f"captioner {self.captioner!r} needs the name of a model")
        if (self.captioner == "server") != bool(self.url):
            raise ValueError("a url belongs to the captioner 'server', and it needs one")


def more_inputs(settings: CaptionSettings) -> dict[str, str]:
    """What an item's hash must know besides the settings: the text of the examples, not their name alone.

    Raises DataError where the file is not there.
    """
    if settings.captioner == "rules" or not settings.examples:
        return {}
    try:
        return {"examples": hashlib.sha256(Path(settings.examples).read_bytes()).hexdigest()}
    except OSError as error:
        raise DataError(f"The examples of captions.examples cannot be read: {error}.") from error


def make(item: Item, settings: CaptionSettings, data: Path, product: Path) -> dict[str, Any]:
    """Describes item.inputs["asset"]. Inputs "geometry" (what is exposed of it) and, for a model, "views"."""
    asset = read_asset(data / item.inputs["asset"])
    if settings.captioner == "rules":
        facts, story = _by_rules(asset, item.inputs, data)
    else:
        facts, story = _by_model(asset, item.inputs, settings, data)
    product.write_text(json.dumps(story, ensure_ascii=False), encoding="utf-8")
    return facts


def _by_rules(asset: Asset, inputs: Mapping[str, Any], data: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Captions of name and measures, or for a procedural object its own and what is measured of it."""
    geometry = read_geometry(data / inputs["geometry"]) if inputs.get("geometry") else None
    measures = measure(asset, geometry)
    made = rules.captions(
        rules.subject_of(asset, measures), np.random.default_rng(seed_of(asset.key, "captions"))
    )
    solid = original(asset)
    if solid is not None:
        made = _procedural(solid.solid.captions, made)
    lengths.check(made)
    facts = {**made, "category": asset.category, "by": rules.BY, "score": None}
    return facts, {"name": asset.name, "measures": asdict(measures)}


def _procedural(own: tuple[str, ...], measured: dict[str, list[str]]) -> dict[str, list[str]]:
    """A generator's captions are true by construction; its longest one opens the long caption."""
    short = [text for text in own if lengths.fits(text, "short")]
    medium = [text for text in own if lengths.fits(text, "medium")]
    long = measured["long"][0]
    if medium:
        sentences = [f"{medium[-1][:1].upper()}{medium[-1][1:]}.", *re.split(r"(?<=[.]) ", long)[1:]]
        while lengths.words(" ".join(sentences)) > lengths.LENGTHS["long"][1]:
            sentences.pop()
        long = " ".join(sentences)
    return {
        "short": short or measured["short"],
        "medium": medium or measured["medium"],
        "long": [long if lengths.fits(long, "long") else measured["long"][0]],
    }


def _by_model(
    asset: Asset, inputs: Mapping[str, Any], settings: CaptionSettings, data: Path
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The paper's chain, and its conversation."""
    views = read_views(data / inputs["views"])
    pictures = {name: views.picture(views.names.index(name)) for name in _PICTURES if name in views.names}
    if not pictures:
        raise Rejected("no_views", f"The views hold none of {', '.join(_PICTURES)}.")
    examples = read_examples(Path(settings.examples)) if settings.examples else own_examples()
    model = _model(settings)
    rng = np.random.default_rng(seed_of(asset.key, "captions"))
    found = describe(model, pictures, _metadata(asset), examples, settings.chain, rng)
    lengths.check(found.captions)
    scores = [score for level in found.scores.values() for score in level]
    facts = {
        **found.captions,
        "paragraph": found.paragraph,
        "category": found.category,
        "by": model.name,
        "score": round(float(np.mean(scores)), 2),
        "scores": found.scores,
        "front": found.front,
        "dropped": found.dropped,
    }
    return facts, {"name": asset.name, "conversation": found.conversation}


def _metadata(asset: Asset) -> dict[str, Any]:
    """What the asset's file says of it, for knowledge of the world that no picture shows."""
    return {
        "name": asset.name,
        "category": asset.category,
        "tags": list(asset.tags),
        "parts": sorted({name for name in asset.part_names if name})[:20],
        "materials": sorted({material.name for material in asset.materials if material.name})[:10],
        "description": asset.provenance.get("description", "")[:1000],
    }


@lru_cache(maxsize=1)
def _model(settings: CaptionSettings) -> VisionLanguageModel:
    """Loaded once in each worker."""
    if settings.captioner == "server":
        return ServedModel(
            name=settings.model,
            url=settings.url,
            key=key_of(settings.key_variable),
            max_tokens=settings.max_tokens,
        )
    from training.data.captions.local_model import LocalModel  # torch, which rules do without

    return LocalModel(settings.model, max_tokens=settings.max_tokens)


CAPTIONS: Step[CaptionSettings] = Step(name="captions", version=2, make=make, suffix=".json")
