"""`omni123-train evaluate`: figures and sheets of what tokenizers and models make.

omni123-train evaluate reconstruction --run DIR --corpus DIR --out docs/images/reconstruction.png
omni123-train evaluate prompts --weights backend/weights/mini --out docs/images/prompts.png
omni123-train evaluate images --run runs/image_tokenizer --views runs/views/val --out out/images.png
omni123-train evaluate families --weights backend/weights/mini --out docs/families.json
omni123-train evaluate text-to-shape --weights backend/weights/mini --data data --out out
omni123-train evaluate edits --weights backend/weights/mini --data data --out out
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from training.evaluation import model_cli, text_to_shape_cli

if TYPE_CHECKING:  # commands import what they need, so that --help is quick and asks for no OpenGL
    from backend.image_tokenizer.tokenizer import QFormerTokenizer
    from backend.shape_tokenizer.interface import ShapeTokenizer
    from training.evaluation.sheets import Section

app = typer.Typer(no_args_is_help=True, help="Figures and picture sheets of what models make.")
model_cli.register(app)
text_to_shape_cli.register(app)

HELD_OUT = range(10_000_000, 10_000_256)  # seeds of procedural objects that no training set holds
SHOWN = 24  # objects of each kind on a sheet of reconstructions

Weights = Annotated[Path, typer.Option(help="model folder")]
Picture = Annotated[Path, typer.Option(help="PNG to write; the figures go beside it as JSON")]


@app.command("reconstruction")
def reconstruction_command(
    corpus: Annotated[Path, typer.Option(help="folder of the packed mesh corpus")],
    out: Picture,
    weights: Annotated[Path | None, typer.Option(help="model folder")] = None,
    run: Annotated[Path | None, typer.Option(help="training run of the shape tokenizer")] = None,
    cells: Annotated[int, typer.Option(help="surface grid cells along one axis")] = 128,
    limit: Annotated[int | None, typer.Option(help="objects of each kind at most, for a quick look")] = None,
) -> None:
    """Encode, decode and compare the corpus's test split and unseen procedural objects."""
    import numpy as np

    from training.data.corpus import read_index
    from training.evaluation import reconstruction, shapes
    from training.evaluation.sheets import Section

    tokenizer = _tokenizer(weights, run)
    entries = sorted(
        (e for e in read_index(corpus) if e.split == "test"), key=lambda entry: (entry.pack, entry.id)
    )[:limit]
    seeds = HELD_OUT[:limit]
    kinds = {
        "corpus": (shapes.corpus_shapes(corpus, entries, reconstruction.POINTS), len(entries)),
        "procedural": (shapes.procedural_shapes(seeds, reconstruction.POINTS), len(seeds)),
    }
    headings = {
        "corpus": "Corpus, test split: original and reconstruction",
        "procedural": "Procedural objects of unseen seeds: original and reconstruction",
    }
    figures: dict[str, object] = {"model": _provenance(weights or run)}
    figures |= {"definitions": reconstruction.DEFINITIONS, "cells": cells}
    sections = []
    for kind, (known, count) in kinds.items():
        shown = reconstruction.drawn(count, SHOWN)
        rows = reconstruction.evaluate(tokenizer, known, cells=cells, shown=shown)
        codes = np.stack([row.codes for row in rows])
        health = {"codebook": reconstruction.codebook_health(codes, tokenizer.config.n_codes)}
        figures[kind] = reconstruction.report(rows) | health
        panels = [row.panel for row in rows if row.panel is not None]
        sections.append(Section(heading=headings[kind], panels=panels))
    _write(out, sections, figures, columns=6)


def _tokenizer(weights: Path | None, run: Path | None) -> ShapeTokenizer:
    """The tokenizer of a model folder or of a training run."""
    if (weights is None) == (run is None):
        raise typer.BadParameter("name a model folder with --weights or a training run with --run, not both")
    if run is not None:
        from training.shape_tokenizer import trained_tokenizer

        return trained_tokenizer(run)
    from backend import checkpoint
    from backend.models import REGISTRIES

    assert weights is not None
    model = checkpoint.load(weights, REGISTRIES, only=["shape_tokenizer"])
    return cast("ShapeTokenizer", model.modules["shape_tokenizer"])


@app.command("prompts")
def prompts_command(
    weights: Weights,
    out: Picture,
    novel: Annotated[bool, typer.Option(help="prompts whose noun no caption holds")] = False,
    captions: Annotated[
        list[Path] | None, typer.Option(help="with --novel: token files or shards of the training set")
    ] = None,
    corpus: Annotated[
        Path | None, typer.Option(help="with --novel: folder of the packed mesh corpus")
    ] = None,
    seed: int = 0,
) -> None:
    """A mesh for each of the fixed prompts, nothing picked, and the seconds they took."""
    from training.evaluation import generation, prompts
    from training.evaluation.sheets import Section

    figures: dict[str, object] = {}
    texts: tuple[str, ...] = prompts.PROMPTS
    if novel:
        if not captions or corpus is None:
            raise typer.BadParameter("--novel needs --captions and --corpus to know which words were seen")
        seen = prompts.vocabulary([*prompts.dataset_captions(captions), *prompts.corpus_captions(corpus)])
        texts, refused = prompts.novel_prompts(seen)
        figures = {"caption_words": len(seen), "candidates_refused_for_words_seen": refused}
    from backend.pipeline import Pipeline

    pipeline = Pipeline.load(weights)
    made = [generation.generate(pipeline, text, seed) for text in texts]
    panels = [generation.panel(row) for row in made]
    _write(
        out,
        [Section(panels=panels)],
        {"model": _provenance(weights)} | figures | generation.report(made),
        columns=6,
    )


@app.command("families")
def families_command(
    weights: Weights,
    out: Annotated[Path, typer.Option(help="JSON to write")],
    seeds: Annotated[int, typer.Option(help="meshes per family")] = 2,
) -> None:
    """Share of meshes of "a table", "a tree", ... that are nearest to unseen objects of that family."""
    from backend.pipeline import Pipeline
    from training.evaluation import families, generation

    pipeline, known = Pipeline.load(weights), families.references()
    verdicts = []
    for name in known.names:
        for seed in range(seeds):
            mesh = generation.generate(pipeline, families.prompt(name), seed, cells=64).mesh
            ranking = known.ranking(families.mesh_points(mesh)) if mesh is not None else ()
            verdicts.append(families.Verdict(family=name, ranking=ranking))
    ceiling = [
        families.Verdict(family=name, ranking=known.ranking(families.held_out(name, index)))
        for name in known.names
        for index in range(seeds)
    ]
    figures = {
        "model": _provenance(weights),
        "definition": families.__doc__,
        "families": len(known.names),
        "references_per_family": families.REFERENCES,
        "generated": families.report(verdicts),
        "ceiling_unseen_procedural_objects": families.report(ceiling),
    }
    _write_json(out, figures)
    for label, rows in (("generated", verdicts), ("unseen procedural objects", ceiling)):
        told = families.report(rows)
        typer.echo(f"{label}: top-1 {told['top_1']}, top-5 {told['top_5']} of {told['shapes']}")


@app.command("images")
def images_command(
    out: Picture,
    run: Annotated[Path | None, typer.Option(help="training run of the image tokenizer")] = None,
    weights: Annotated[Path | None, typer.Option(help="model folder")] = None,
    views: Annotated[
        Path | None, typer.Option(help="data folder, for the views of its held-out shapes")
    ] = None,
    pictures: Annotated[
        Path | None, typer.Option(help="folder of image files; its folders are groups")
    ] = None,
    groups: Annotated[int, typer.Option(help="drawn pictures of object, scene, human and text, each")] = 0,
    count: Annotated[int, typer.Option(help="pictures to compare")] = 256,
    inception: Annotated[
        Path | None, typer.Option(help="FID's published Inception weights as safetensors")
    ] = None,
) -> None:
    """PSNR, SSIM and FID of the VAE alone, of the 1D tokens and of their first half, quarter and eighth."""
    if views is None and pictures is None and not groups:
        raise typer.BadParameter("name rendered views with --views, image files with --pictures, or --groups")
    from training.evaluation.images_report import images_report, of_sources
    from training.evaluation.inception import load_inception
    from training.evaluation.report import write

    tokenizer = _image_tokenizer(weights, run)
    report = images_report(
        tokenizer,
        of_sources(tokenizer.config.size, count, views=views, pictures=pictures, groups=groups),
        name=out.stem,
        inception=None if inception is None else load_inception(inception),
        shown=SHOWN,
    )
    written = write(report, out.parent, _provenance(weights or run))
    typer.echo(report.markdown())
    typer.echo(" ".join(map(str, written)))


def _image_tokenizer(weights: Path | None, run: Path | None) -> QFormerTokenizer:
    """The tokenizer of a model folder or of a training run."""
    if (weights is None) == (run is None):
        raise typer.BadParameter("name a model folder with --weights or a training run with --run, not both")
    if run is not None:
        from training.image_tokenizer import trained_image_tokenizer

        return trained_image_tokenizer(run)
    from backend import checkpoint
    from backend.models import REGISTRIES

    assert weights is not None
    model = checkpoint.load(weights, REGISTRIES, only=["image_tokenizer"])
    return cast("QFormerTokenizer", model.modules["image_tokenizer"])


def _provenance(folder: Path | None) -> str:
    """What made the weights of a model folder or of a training run."""
    assert folder is not None
    if (progress := folder / "progress.json").is_file():
        return f"training run {folder.name}, step {json.loads(progress.read_text(encoding='utf-8'))['step']}"
    from backend.checkpoint import read_config

    return read_config(folder)[0].provenance


def _write(out: Path, sections: list[Section], figures: dict[str, object], *, columns: int) -> None:
    from training.evaluation import sheets

    sheets.save(sheets.sheet(sections, columns=columns), out)
    typer.echo(f"{out} and {_write_json(out.with_suffix('.json'), figures)}")


def _write_json(path: Path, figures: dict[str, object]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    return path
