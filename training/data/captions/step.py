"""The captions step: three lengths for each asset; the facts are all (paper, sections 3.4 and 3.5)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from training.data.assets.asset import Asset, read_asset
from training.data.captions import lengths, rules
from training.data.captions.measures import measure
from training.data.geometry.procedural import original
from training.data.geometry.step import read_geometry
from training.data.steps import Item, Step, seed_of


@dataclass(frozen=True, kw_only=True)
class CaptionSettings:
    """How captions are made."""

    captioner: str = "rules"


def make(item: Item, settings: CaptionSettings, data: Path, product: Path) -> dict[str, Any]:
    """Describes item.inputs["asset"]; item.inputs["geometry"], where given, knows what is exposed of it."""
    asset = read_asset(data / item.inputs["asset"])
    return by_rules(asset, item.inputs, data)


def by_rules(asset: Asset, inputs: Mapping[str, Any], data: Path) -> dict[str, Any]:
    """Captions of name and measures, or for a procedural object its own and what is measured of it."""
    geometry = read_geometry(data / inputs["geometry"]) if inputs.get("geometry") else None
    rng = np.random.default_rng(seed_of(asset.key, "captions"))
    subject = rules.subject_of(asset, measure(asset, geometry))
    made = rules.captions(subject, rng)
    solid = original(asset)
    if solid is not None:
        made = _procedural(solid.solid.captions, made)
    lengths.check(made)
    return {**made, "category": asset.category, "by": rules.BY, "score": None}


def _procedural(own: tuple[str, ...], measured: dict[str, list[str]]) -> dict[str, list[str]]:
    """A generator's captions are true by construction; its longest one opens the long caption."""
    short = [text for text in own if lengths.fits(text, "short")]
    medium = [text for text in own if lengths.fits(text, "medium")]
    long = measured["long"][0]
    if medium:
        long = f"{medium[-1][:1].upper()}{medium[-1][1:]}. {re.sub(r'^[^.]*[.] ', '', long)}"
        sentences = re.split(r"(?<=[.]) ", long)
        while lengths.words(" ".join(sentences)) > lengths.LENGTHS["long"][1]:
            sentences.pop()
        long = " ".join(sentences)
    return {
        "short": short or measured["short"],
        "medium": medium or measured["medium"],
        "long": [long if lengths.fits(long, "long") else measured["long"][0]],
    }


CAPTIONS: Step[CaptionSettings] = Step(name="captions", version=1, make=make)
