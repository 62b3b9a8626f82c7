"""Do generated views show the shape they belong to? Silhouettes and pixels beside renders of the mesh (O76).

Views of true shapes are compared with the true renders; views and shapes that a model made of the same words
with each other. `before` compares the same with an earlier model, such as one before fine-tuning.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from backend.events import Request, Result
from backend.geometry.mesh import Mesh
from backend.image_tokenizer.interface import ImageTokenizer
from backend.pipeline import Pipeline
from backend.sequence import VIEWS
from training.data.pictures import as_images, as_pixels
from training.evaluation import images
from training.evaluation.pictured import Pictured, pictured
from training.evaluation.reconstruction import ENCODED, drawn, encoded
from training.evaluation.render import blank, render
from training.evaluation.report import Report
from training.evaluation.requests import in_order
from training.evaluation.sheets import Panel, Section
from training.evaluation.silhouettes import DARKER, Picture, agreement, canonical_poses, flat, renders
from training.evaluation.tables import Table, Value

BEFORE_SHAPE = 3  # views that the whole chain draws before the shape; the others come after it
NOTES = (
    "silhouette: intersection over union of the view's object and the mesh seen by its camera, mean of "
    f"the views; the object of a generated view is where some channel is below {DARKER}",
    "PSNR: dB over the pixels of the true render that are not white, at the size the model draws; SSIM of "
    "sRGB; means of the views; beside a generated shape, renders in its own colours stand for the true ones",
    "true views through the image tokenizer: the floor for whoever writes such tokens",
)
_LEAST = 32  # pixels of a side that SSIM is taken of
Views = dict[str, Picture]  # by view


@dataclass(frozen=True, kw_only=True)
class ViewSettings:
    """What is compared."""

    split: str = "val"
    count: int = 16  # shapes, and as many captions
    cells: int = 64
    shown: int = 8
    seed: int = 0


@dataclass(frozen=True, kw_only=True, eq=False)
class Seen:
    """Views that belong to a shape; with the truth where there is one."""

    caption: str
    views: Views
    mesh: Mesh | None
    true: Views | None = None


def views_report(
    pipeline: Pipeline, data: Path, settings: ViewSettings, before: Pipeline | None = None
) -> Report:
    """Raises DataError where the data holds no such shapes."""
    pictures = pipeline.parts.pictures
    assert pictures is not None, "a pipeline that draws views has an image tokenizer"
    tokenizer = pictures.tokenizer
    size = max(_LEAST, tokenizer.config.size)
    shapes = pictured(data, settings.split, settings.count, settings.seed)
    models = {"": pipeline} if before is None else {"": pipeline, "before: ": before}
    of_truth: dict[str, list[Seen]] = {}
    of_words: dict[str, list[Seen]] = {}
    for prefix, model in models.items():
        for way, made in views_of_shapes(model, shapes, settings).items():
            of_truth[prefix + way] = made
        for way, made in views_and_shapes(model, shapes, settings).items():
            of_words[prefix + way] = made
    of_truth["another shape's true views"] = _shuffled(shapes)
    of_truth["true views through the image tokenizer"] = _tokenised(tokenizer, pipeline.device, shapes)
    titles = {
        f"Views of shapes kept out of training ({settings.split} split) beside true renders": of_truth,
        "Views and shapes made of the same words, beside each other": of_words,
    }
    tables = [
        Table(title=title, rows={who: _row(made, size) for who, made in rows.items()}, notes=NOTES)
        for title, rows in titles.items()
        if rows
    ]
    sections = [
        _section(who, made, settings.shown) for rows in titles.values() for who, made in rows.items() if made
    ]
    return Report(
        name="views",
        heading="Views and shapes",
        tables=tables,
        sections=sections,
        columns=1,
        used={**asdict(settings), "sampling": asdict(pipeline.offer.defaults)},
    )


def views_of_shapes(
    pipeline: Pipeline, shapes: Sequence[Pictured], settings: ViewSettings
) -> dict[str, list[Seen]]:
    """Six views of each shape, one by one and in one chain, as far as the model offers these."""
    true = [_true_views(shape) for shape in shapes]
    sources = [
        Request(tokens=tokens_of(pipeline, shape), prompt=shape.caption, cells=settings.cells)
        for shape in shapes
    ]
    made = _six(pipeline, sources, settings)
    return {
        way: [
            Seen(caption=shape.caption, views=views, mesh=shape.mesh, true=truth)
            for shape, views, truth in zip(shapes, drawn_views, true, strict=True)
        ]
        for way, drawn_views in made.items()
    }


def tokens_of(pipeline: Pipeline, shape: Pictured) -> NDArray[np.uint16]:
    """Codes of a true shape, made once for all its views."""
    known = pipeline.parts.shapes
    assert known is not None, "a pipeline that draws views of shapes has a shape tokenizer"
    codes = encoded(known.tokenizer, shape.points[:ENCODED], shape.normals[:ENCODED])[0]
    return codes.cpu().numpy().astype(np.uint16)


def views_and_shapes(
    pipeline: Pipeline, shapes: Sequence[Pictured], settings: ViewSettings
) -> dict[str, list[Seen]]:
    """A shape of each caption and views of it: the views from the shape's tokens, or all in one chain."""
    captions = [shape.caption for shape in shapes]
    found: dict[str, list[Seen]] = {}
    if "text_to_shape" in pipeline.offer.tasks:
        asked = [
            Request(task="text_to_shape", prompt=caption, seed=settings.seed + number, cells=settings.cells)
            for number, caption in enumerate(captions)
        ]
        results = [answer.result for answer in in_order(pipeline, asked)]
        whole = [(c, r) for c, r in zip(captions, results, strict=True) if r is not None]
        sources = [Request(tokens=r.tokens, prompt=c, cells=settings.cells) for c, r in whole]
        for way, drawn_views in _six(pipeline, sources, settings).items():
            found[f"shape, then {way}"] = [
                Seen(caption=c, views=views, mesh=r.mesh)
                for (c, r), views in zip(whole, drawn_views, strict=True)
            ]
    if "text_to_views_shape_views" in pipeline.offer.tasks:
        asked = [
            Request(
                task="text_to_views_shape_views",
                prompt=caption,
                seed=settings.seed + number,
                cells=settings.cells,
                image_views=VIEWS[:BEFORE_SHAPE],
                views=VIEWS[BEFORE_SHAPE:],
            )
            for number, caption in enumerate(captions)
        ]
        results = [answer.result for answer in in_order(pipeline, asked)]
        found["views, shape, views in one chain"] = [
            Seen(caption=caption, views=_views(result), mesh=result.mesh)
            for caption, result in zip(captions, results, strict=True)
            if result is not None
        ]
    return found


def _six(pipeline: Pipeline, sources: Sequence[Request], settings: ViewSettings) -> dict[str, list[Views]]:
    """Six views of each source shape, by each way the model offers."""
    made: dict[str, list[Views]] = {}
    if "shape_to_view" in pipeline.offer.tasks:
        asked = [
            replace(source, task="shape_to_view", views=(view,), seed=settings.seed)
            for source in sources
            for view in VIEWS
        ]
        answers = in_order(pipeline, asked)
        made["views one by one"] = [
            {
                name: picture
                for answer in answers[start : start + len(VIEWS)]
                if answer.result is not None
                for name, picture in _views(answer.result).items()
            }
            for start in range(0, len(answers), len(VIEWS))
        ]
    if "shape_to_views" in pipeline.offer.tasks:
        asked = [replace(s, task="shape_to_views", views=VIEWS, seed=settings.seed) for s in sources]
        made["six views in one chain"] = [
            {} if answer.result is None else _views(answer.result) for answer in in_order(pipeline, asked)
        ]
    return made


def _views(result: Result) -> Views:
    return {picture.view: picture.image for picture in result.pictures if picture.view is not None}


def _true_views(shape: Pictured) -> Views:
    return {name: shape.view(name) for name in VIEWS}


def _shuffled(shapes: Sequence[Pictured]) -> list[Seen]:
    """Every shape with the views of the next: what views that ignore the shape score."""
    others = [*shapes[1:], *shapes[:1]]
    return [
        Seen(caption=shape.caption, views=_true_views(other), mesh=shape.mesh, true=_true_views(shape))
        for shape, other in zip(shapes, others, strict=True)
    ]


def _tokenised(tokenizer: ImageTokenizer, device: torch.device, shapes: Sequence[Pictured]) -> list[Seen]:
    found = []
    for shape in shapes:
        true = _true_views(shape)
        pixels = np.stack([sized(view, tokenizer.config.size) for view in true.values()])
        made = as_pixels(tokenizer.decode(tokenizer.encode(as_images(pixels).to(device))).cpu())
        views = dict(zip(true, made, strict=True))
        found.append(Seen(caption=shape.caption, views=views, mesh=shape.mesh, true=true))
    return found


def sized(picture: Picture, size: int) -> Picture:
    """(size, size, 3) on white."""
    return np.asarray(Image.fromarray(flat(picture)).resize((size, size), Image.Resampling.LANCZOS))


def _row(rows: Sequence[Seen], size: int) -> Mapping[str, Value]:
    """Means over all views, pixels compared at one size."""
    poses = dict(zip(VIEWS, canonical_poses(), strict=True))
    overlaps: list[float] = []
    pixels: list[dict[str, float]] = []
    for seen in rows:
        names = list(seen.views)
        if not names or seen.mesh is None:
            continue
        pictures = [seen.views[name] for name in names]
        overlaps += agreement(pictures, seen.mesh, [poses[name] for name in names])
        beside = _beside(seen, names, size)
        if beside is not None:
            ours = np.stack([sized(picture, size) for picture in pictures])
            pixels.append(images.compare(as_images(beside), as_images(ours)))
    row: dict[str, Value] = {"silhouette": float(np.mean(overlaps)) if overlaps else None}
    for name, key in (("PSNR", "object"), ("SSIM", "ssim")):
        row[name] = float(np.nanmean([figures[key] for figures in pixels])) if pixels else None
    return row | {"views": len(overlaps), "shapes": len(rows)}


def _beside(seen: Seen, names: Sequence[str], size: int) -> Picture | None:
    """(n, size, size, 3) true views, or renders of the mesh in its own colours; None where it has none."""
    if seen.true is not None:
        return np.stack([sized(seen.true[name], size) for name in names])
    if seen.mesh is None or seen.mesh.colors is None:
        return None
    poses = dict(zip(VIEWS, canonical_poses(), strict=True))
    return np.stack(renders(seen.mesh, [poses[name] for name in names], size)[0])


def _section(who: str, rows: Sequence[Seen], shown: int) -> Section:
    size, panels = 128, []
    for number in sorted(drawn(len(rows), shown)):
        seen = rows[number]
        views = [sized(seen.views[v], size) if v in seen.views else blank(size) for v in VIEWS]
        mesh = blank(size) if seen.mesh is None else render(seen.mesh, size, colored=True)
        panels.append(Panel(caption=seen.caption, images=(mesh, *views)))
    return Section(heading=f"{who}: the shape, then {', '.join(VIEWS)}", panels=panels)
