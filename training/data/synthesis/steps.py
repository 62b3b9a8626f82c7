"""The steps of the loop, each a pure function of one item: pictures, cut-outs, shapes, gates.

Their products feed one another; a shape's facts are those of an ingested asset, so that the pipeline takes
what passed the gates as if it had been read from a file.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from backend.events import Pixels
from training.data.assets.asset import SUFFIX, Asset, Rejected, read_asset, write_asset
from training.data.assets.ingest import IngestSettings, make_asset
from training.data.assets.steps import entry_of
from training.data.rendering.cameras import FILL
from training.data.steps import Item, Step, seed_of
from training.data.synthesis import seats
from training.data.synthesis.augmentation import AugmentationSettings, augmented
from training.data.synthesis.gallery import best_match
from training.data.synthesis.gates import GateSettings, rate
from training.data.synthesis.interface import ShapeRequest
from training.data.synthesis.mask_quality import Cut, MaskSettings, judge_mask
from training.data.synthesis.matting import cut_out, framed
from training.data.synthesis.painting import painted


@dataclass(frozen=True, kw_only=True)
class CutoutSettings:
    """How the object is cut out of its picture, and which cut-outs are good."""

    size: int = 512  # pixels along each side
    mask: MaskSettings = field(default_factory=MaskSettings)


@dataclass(frozen=True, kw_only=True)
class ShapeSettings:
    """What becomes of a cut-out."""

    paint: bool = True  # shapes without colours take the picture's
    licence: str = "unknown"  # of what the models make
    author: str | None = None


def make_picture(item: Item, settings: AugmentationSettings, data: Path, product: Path) -> dict[str, Any]:
    """Draws inputs["prompt"] for the inputs["number"]-th time with the model where["pictures"]."""
    request = augmented(item.inputs["prompt"], item.inputs["number"], settings)
    picture = seats.text_to_image(item.where["pictures"]).picture(request)
    Image.fromarray(picture, "RGBA").save(product, "PNG")
    return {
        "words": request.words,
        "view": request.view,
        "seed": request.seed,
        "size": list(picture.shape[:2]),
    }


def make_cutout(item: Item, settings: CutoutSettings, data: Path, product: Path) -> dict[str, Any]:
    """Cuts the object out of inputs["picture"] with where["matting"], and frames it."""
    picture = read_picture(data / item.inputs["picture"])
    opacity = seats.matting(item.where["matting"]).opacity(picture)
    measures, reasons = judge_mask(Cut(picture, opacity), settings.mask)
    if reasons:
        raise Rejected(reasons[0][0], " ".join(sentence for _, sentence in reasons))
    cut = framed(cut_out(picture, opacity), settings.size, FILL)
    Image.fromarray(cut, "RGBA").save(product, "PNG")
    return {"measures": measures}


def make_shape(item: Item, settings: ShapeSettings, data: Path, product: Path) -> dict[str, Any]:
    """A folder with the one asset that where["shapes"] makes of inputs["cutout"]; facts as ingest's."""
    cut = read_picture(data / item.inputs["cutout"])
    request = ShapeRequest(
        picture=cut,
        prompt=item.inputs["prompt"],
        view=item.inputs["view"],
        seed=seed_of(item.key, "shape") % 2**31,
    )
    raw = seats.image_to_3d(item.where["shapes"]).shape(request)
    row = {
        "name": item.inputs["subject"].removeprefix("a ").removeprefix("an "),
        "category": item.inputs["noun"],
        "licence": settings.licence,
        "author": settings.author,
        "prompt": item.inputs["prompt"],
        "picture": item.inputs["cutout"],
        "view": item.inputs["view"] or "",
        "picture_model": item.inputs["pictures"],
        "shape_model": item.inputs["shapes"],
    }
    raw = replace(raw, notes={*raw.notes, "synthesised"})
    asset = make_asset(list(raw.objects), f"synthesis/{item.key}", 0, row, raw, IngestSettings())
    if settings.paint and _colorless(asset):
        asset = painted(asset, cut, best_match(asset, cut, item.inputs["view"]).camera)
    product.mkdir()
    write_asset(product / f"{asset.key}{SUFFIX}", asset)
    return {"assets": [entry_of(asset)], "rejected": []}


def make_verdict(item: Item, settings: GateSettings, data: Path, product: Path) -> dict[str, Any]:
    """Rates inputs["asset"] against inputs["cutout"]; only what is high on all axes stays."""
    asset = read_asset(data / item.inputs["asset"])
    ratings = rate(asset, settings, read_picture(data / item.inputs["cutout"]), item.inputs["view"])
    low = [rating for rating in ratings if not rating.high]
    if low:
        raise Rejected(f"low_{low[0].axis}", " ".join(reason for rating in low for reason in rating.reasons))
    measures = {name: round(value, 5) for rating in ratings for name, value in rating.measures.items()}
    return {"measures": measures, **{rating.axis: "high" for rating in ratings}}


def read_picture(path: Path) -> Pixels:
    """(h, w, 4)"""
    with Image.open(path) as opened:
        return np.asarray(opened.convert("RGBA"))


def _colorless(asset: Asset) -> bool:
    return asset.colors is None and not any(material.texture for material in asset.materials)


def item_key(prompt_key: str, number: int) -> str:
    """Of one picture of a prompt, and all that is made of it."""
    return hashlib.sha256(f"{prompt_key} {number}".encode()).hexdigest()[:16]


PICTURES: Step[AugmentationSettings] = Step(
    name="drawn_pictures", version=1, make=make_picture, suffix=".png"
)
CUTOUTS: Step[CutoutSettings] = Step(name="cutouts", version=1, make=make_cutout, suffix=".png")
SHAPES: Step[ShapeSettings] = Step(name="shapes", version=1, make=make_shape, suffix="")
GATES: Step[GateSettings] = Step(name="gates", version=1, make=make_verdict)
