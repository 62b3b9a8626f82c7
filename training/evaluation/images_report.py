"""`omni123-train evaluate images`: how faithful reconstructed pictures are (paper, Table 9), by group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from backend.image_tokenizer.tokenizer import QFormerTokenizer
from training.data.pictures import FolderPictures, Pictures, ViewPictures, as_images
from training.data.views import Views
from training.evaluation import images
from training.evaluation.groups import pictures as drawn_groups
from training.evaluation.inception import Inception, features, frechet, statistics
from training.evaluation.reconstruction import drawn
from training.evaluation.report import Report
from training.evaluation.sheets import Section
from training.evaluation.tables import Table, Value

NAMES = {"psnr": "PSNR", "object": "object PSNR", "ssim": "SSIM"}
NO_FID = (
    "FID: not measured; name the published Inception weights (training/evaluation/inception.py says which "
    "and how to convert them)"
)
Shown = tuple[NDArray[np.uint8], Sequence[str]]  # pictures (n, size, size, 3) and the group of each


def images_report(
    tokenizer: QFormerTokenizer,
    sources: Mapping[str, Shown],
    *,
    name: str = "images",
    inception: Inception | None = None,
    shown: int = 24,
) -> Report:
    """A table for each source of pictures, by its title, and originals beside what is left of them."""
    tables, sections = [], []
    for title, (pixels, groups) in sources.items():
        originals = as_images(pixels)
        made = images.reconstructions(tokenizer, originals)
        tables.append(_table(title, originals, made, groups, inception))
        chosen = sorted(drawn(len(pixels), shown))
        panels = images.panels(originals[chosen], {label: part[chosen] for label, part in made.items()})
        sections.append(Section(heading=title, panels=panels))
    return Report(
        name=name,
        heading="Image tokenizer",
        tables=tables,
        sections=sections,
        columns=2,
        photographic=True,
        used={"pictures": {title: len(pixels) for title, (pixels, _) in sources.items()}, "shown": shown},
    )


def of_sources(
    size: int, count: int, *, views: Path | None = None, pictures: Path | None = None, groups: int = 0
) -> dict[str, Shown]:
    """Up to `count` pictures of each source, drawn by a seed; `groups` of each drawn group."""
    found: dict[str, Shown] = {}
    if views is not None:
        found["Views of shapes kept out of training"] = _read(ViewPictures(Views(views, "val", size)), count)
    if pictures is not None:
        found[f"Pictures of {pictures.name}"] = _read(FolderPictures(pictures, size), count)
    if groups:
        found["Drawn pictures of four groups"] = drawn_groups(groups, size)
    return found


def _read(source: Pictures, count: int) -> Shown:
    rows = np.random.default_rng(0).permutation(len(source))[:count]
    return source.read(rows), [source.kinds[kind] for kind in source.kind(rows)]


def _table(
    title: str,
    originals: Tensor,
    made: Mapping[str, Tensor],
    groups: Sequence[str],
    inception: Inception | None,
) -> Table:
    labels = [label for label in made if label != "codes"]
    real = None if inception is None else statistics(features(inception, originals))
    rows: dict[str, dict[str, Value]] = {}
    for label in labels:
        rows[label] = dict(_row(originals, made[label]))
        if inception is not None and real is not None:
            rows[label]["FID"] = frechet(real, statistics(features(inception, made[label])))
    for group in sorted(set(groups)) if len(set(groups)) > 1 else ():
        own = [number for number, of in enumerate(groups) if of == group]
        rows[f"tokens: {group}"] = {**_row(originals[own], made["tokens"][own]), "pictures": len(own)}
    notes = [f"{NAMES[key]}: {words}" for key, words in images.DEFINITIONS.items()]
    size = originals.shape[-1]
    used = len(torch.unique(made["codes"]))
    notes += [f"{len(originals)} pictures of {size} pixels; {used} different codes occur in them"]
    notes += (
        [NO_FID] if inception is None else [f"FID: of {len(originals)} pictures, biased upward where few"]
    )
    return Table(title=title, rows=rows, notes=notes)


def _row(originals: Tensor, made: Tensor) -> dict[str, Value]:
    return {NAMES[key]: value for key, value in images.compare(originals, made).items()}
