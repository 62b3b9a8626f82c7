"""`omni123-train evaluate all`: everything a model folder can do, judged; one JSON and one Markdown page.

What the model does not offer, or the data does not hold, is named in the page with its reason.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from training.data.steps import DataError
from training.evaluation.report import Report, write

if TYPE_CHECKING:
    from backend.image_tokenizer.tokenizer import QFormerTokenizer
    from backend.pipeline import Pipeline

Part = Callable[[], Report]


@dataclass(frozen=True, kw_only=True)
class Counts:
    """How much of each; meant for ten minutes on two cores."""

    prompts: int = 32  # of the hundred, and as many captions of shapes kept out of training
    edits: int = 100  # adding and removing, half of each
    other_edits: int = 4  # of each other kind
    fresh: int = 4  # procedural objects of unseen seeds, each with all its edits
    pictures: int = 24  # to make shapes of
    viewed: int = 12  # shapes whose views are compared
    tokenised: int = 24  # shapes through the shape tokenizer, and as many procedural ones
    images: int = 128  # through the image tokenizer, and an eighth as many of each drawn group

    def __post_init__(self) -> None:
        for name, count in vars(self).items():
            if count < 1:
                raise ValueError(f"{name} must be at least 1, not {count}")


@dataclass(frozen=True, kw_only=True)
class Whole:
    """A model folder and what it is compared with."""

    weights: Path
    data: Path
    out: Path
    baselines: tuple[Path, ...] = ()  # model folders, such as one trained without 2D
    before: Path | None = None  # the model before fine-tuning, for the views
    split: str = "val"
    counts: Counts = field(default_factory=Counts)
    inception: Path | None = None
    scorer: Path | None = None  # weights of our own judge of shapes and words
    judges: tuple[Path, ...] = ()  # folders of published ones


def evaluate_all(whole: Whole, tell: Callable[[str], None]) -> tuple[Path, Path]:
    """Writes the files of each part as it is done, then evaluation.json and evaluation.md."""
    from backend.checkpoint import read_config

    provenance = read_config(whole.weights)[0].provenance
    reports: dict[str, Report] = {}
    skipped: dict[str, str] = {}
    seconds: dict[str, float] = {}
    for name, part in parts(whole):
        began = time.monotonic()
        try:
            reports[name] = part()
        except (DataError, ValueError) as error:
            skipped[name] = str(error)
            tell(f"{name}: left out: {error}")
            continue
        seconds[name] = round(time.monotonic() - began, 1)
        write(reports[name], whole.out, provenance)
        tell(f"{reports[name].markdown()}\n{name}: {seconds[name]} s, used {dict(reports[name].used)}\n")
    return _written(whole.out, provenance, reports, skipped, seconds)


def parts(whole: Whole) -> Iterator[tuple[str, Part]]:
    """What there is to judge, by name, the quick parts first. The model is loaded once."""
    from backend.pipeline import Pipeline

    pipeline = Pipeline.load(whole.weights)
    yield "shape tokenizer", lambda: _shape_tokenizer(pipeline, whole)
    yield "image tokenizer", lambda: _image_tokenizer(pipeline, whole)
    yield "image to shape", lambda: _image_to_shape(pipeline, whole)
    yield "views", lambda: _views(pipeline, whole)
    yield "edits", lambda: _edits(pipeline, whole)
    yield "text to shape", lambda: _text_to_shape(pipeline, whole)


def _offered(pipeline: Pipeline, task: str) -> None:
    if task not in pipeline.offer.tasks:
        raise ValueError(f"the model does not offer {task}")


def _shape_tokenizer(pipeline: Pipeline, whole: Whole) -> Report:
    from training.evaluation.tokenizer_report import tokenizer_report

    shapes = pipeline.parts.shapes
    if shapes is None:
        raise ValueError("the model has no shape tokenizer")
    count = whole.counts.tokenised
    return tokenizer_report(shapes.tokenizer, whole.data, split=whole.split, count=count)


def _image_tokenizer(pipeline: Pipeline, whole: Whole) -> Report:
    from training.evaluation.images_report import images_report, of_sources
    from training.evaluation.inception import load_inception

    pictures = pipeline.parts.pictures
    if pictures is None:
        raise ValueError("the model has no image tokenizer")
    tokenizer = pictures.tokenizer
    count, groups = whole.counts.images, max(1, whole.counts.images // 8)
    return images_report(
        cast("QFormerTokenizer", tokenizer),
        of_sources(tokenizer.config.size, count, views=whole.data, groups=groups),
        inception=None if whole.inception is None else load_inception(whole.inception),
    )


def _image_to_shape(pipeline: Pipeline, whole: Whole) -> Report:
    from training.evaluation.image_shapes import ImageSettings, image_report

    _offered(pipeline, "image_to_shape")
    return image_report(pipeline, whole.data, ImageSettings(split=whole.split, count=whole.counts.pictures))


def _views(pipeline: Pipeline, whole: Whole) -> Report:
    from backend.pipeline import Pipeline as AnyPipeline
    from training.evaluation.consistency import ViewSettings, views_report

    _offered(pipeline, "shape_to_view")
    before = None if whole.before is None else AnyPipeline.load(whole.before)
    settings = ViewSettings(split=whole.split, count=whole.counts.viewed)
    return views_report(pipeline, whole.data, settings, before)


def _edits(pipeline: Pipeline, whole: Whole) -> Report:
    from training.data.pool import LocalPool, PoolSettings
    from training.evaluation.edits_report import EditSettings, edits_report

    _offered(pipeline, "edit_shape")
    counts = whole.counts
    settings = EditSettings(
        split=whole.split, averaged=counts.edits // 2, others=counts.other_edits, fresh=counts.fresh
    )
    return edits_report(pipeline, whole.data, settings, LocalPool(PoolSettings()))


def _text_to_shape(pipeline: Pipeline, whole: Whole) -> Report:
    from backend.pipeline import Pipeline as AnyPipeline
    from training.evaluation.text_to_shape_report import Judges, TextToShapeSettings, text_to_shape_report

    _offered(pipeline, "text_to_shape")
    count = whole.counts.prompts
    return text_to_shape_report(
        [whole.weights, *whole.baselines],
        whole.data,
        whole.out / "made",
        Judges.load(whole.scorer, whole.judges),
        TextToShapeSettings(prompts=count, held_out=count),
        AnyPipeline.load,
    )


def _written(
    out: Path,
    provenance: str,
    reports: Mapping[str, Report],
    skipped: Mapping[str, str],
    seconds: Mapping[str, float],
) -> tuple[Path, Path]:
    out.mkdir(parents=True, exist_ok=True)
    words, page = out / "evaluation.json", out / "evaluation.md"
    figures: dict[str, Any] = {"model": provenance, "seconds": dict(seconds), "left_out": dict(skipped)}
    figures["reports"] = {name: report.json() for name, report in reports.items()}
    words.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    lines = ["# Evaluation", "", f"Model: {provenance}", ""]
    lines += [f"Left out: {name}, because {reason}" for name, reason in skipped.items()]
    for report in reports.values():
        lines += [report.markdown(), f"Used: {json.dumps(dict(report.used))}", ""]
    page.write_text("\n".join(lines), encoding="utf-8")
    return words, page
