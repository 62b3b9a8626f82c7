"""Coarse-to-fine surface extraction against asking every grid point, on decoded shapes that no training saw.

python benchmarks/surface.py topology [--corpus DIR]  compares meshes of many shapes, 257 points an axis
python benchmarks/surface.py time [--corpus DIR]      queries, seconds, finishing, previews and chunk sizes

Without a corpus (its test split) the shapes are procedural ones of held-out seeds; both also take shapes that
the model makes of prompts. Both twins run in the same process; the last line is JSON.
"""

from __future__ import annotations

import json
import platform
import resource
import statistics
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer

from backend.events import Request, Result
from backend.geometry.closing import is_watertight
from backend.geometry.finishing import finish
from backend.geometry.islands import parts
from backend.geometry.mesh import Mesh
from backend.geometry.queries import FieldFunction, chunk_size
from backend.geometry.surface import extract_surface, extract_surface_dense, find_surface
from backend.jobs import run_alone
from backend.pipeline import Pipeline
from backend.results import PREVIEW_CELLS
from backend.server.cli import BUNDLED
from backend.shape_tokenizer.grid import GridShapeTokenizer
from backend.shape_tokenizer.perceiver import PerceiverShapeTokenizer, PerceiverShapeTokenizerConfig
from training.data.corpus import read_index
from training.evaluation.cli import HELD_OUT
from training.evaluation.reconstruction import ENCODED, reconstruct
from training.evaluation.shapes import corpus_shapes, procedural_shapes

PROMPTS = (
    "a round wooden table",
    "a red car",
    "a tall bookshelf with five shelves",
    "a street lamp",
    "a ladder",
    "a potted plant",
    "a house with a chimney",
    "a stool with four thin legs",
)
CELLS = 256
CHUNKS = (256, 1024, 2048, 4096, 8192, 16384, 65536)

app = typer.Typer(no_args_is_help=True)
Corpus = Annotated[Path | None, typer.Option(help="folder of the packed corpus")]
Shapes = Annotated[int, typer.Option(help="shapes beside those of prompts")]
Prompts = Annotated[int, typer.Option(help="shapes of prompts")]
Out = Annotated[Path | None, typer.Option(help="JSON file to write as well")]


@app.command()
def topology(corpus: Corpus = None, shapes: Shapes = 48, prompts: Prompts = 8, out: Out = None) -> None:
    """Whether both twins find the same mesh of every shape."""
    rows = []
    for name, field in _fields(Pipeline.load(BUNDLED), corpus, shapes, prompts):
        mesh, twin = extract_surface(field, cells=CELLS), extract_surface_dense(field, cells=CELLS)
        same = np.array_equal(mesh.faces, twin.faces)
        row = {
            "shape": name,
            "queries": sum(find_surface(field, cells=CELLS)[1].queries),
            "same_faces": same,
            "same_topology": _topology(mesh) == _topology(twin),
            "watertight": is_watertight(mesh.faces),
            "topology": _topology(mesh),
            "farthest_vertex": float(np.abs(mesh.vertices - twin.vertices).max()) if same else None,
        }
        print(row, flush=True)
        rows.append(row)
    ratios = [(CELLS + 1) ** 3 / row["queries"] for row in rows]
    _report(
        {
            "cells": CELLS,
            "shapes": len(rows),
            "same_faces": sum(row["same_faces"] for row in rows),
            "same_topology": sum(row["same_topology"] for row in rows),
            "watertight": sum(row["watertight"] for row in rows),
            "query_ratio": _spread(ratios),
            "below_15": [row["shape"] for row, ratio in zip(rows, ratios, strict=True) if ratio < 15],
            "query_ratio_of_sums": round(
                len(rows) * (CELLS + 1) ** 3 / sum(row["queries"] for row in rows), 1
            ),
        },
        out,
    )


@app.command("time")
def time_command(corpus: Corpus = None, shapes: Shapes = 3, prompts: Prompts = 3, out: Out = None) -> None:
    """Seconds and queries of both twins; then finishing, previews and chunk sizes."""
    pipeline = Pipeline.load(BUNDLED)
    tried = list(_fields(pipeline, corpus, shapes, prompts))
    extract_surface(tried[0][1], cells=48)  # kernels compiled
    report: dict[str, object] = {
        str(cells): [_compared(name, field, cells) for name, field in tried] for cells in (96, CELLS)
    }
    report["513 points, sparse alone"] = [_sparse(name, field, 512) for name, field in tried]
    report["peak_memory_gb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2)
    largest = max((extract_surface(field, cells=CELLS) for _, field in tried), key=lambda m: len(m.faces))
    report["finish"] = _finishing(largest)
    report["preview_ms"] = _preview(pipeline)
    report["chunks"] = {"mini": _sweep(tried[0][1], 1 << 17), "perceiver": _sweep(_perceiver(), 1 << 12)}
    rows = report[str(CELLS)]
    assert isinstance(rows, list)
    report["query_ratio"] = _spread([row["query_ratio"] for row in rows])
    report["time_ratio"] = _spread([row["time_ratio"] for row in rows])
    _report(report, out)


def _fields(
    pipeline: Pipeline, corpus: Path | None, shapes: int, prompts: int
) -> Iterator[tuple[str, FieldFunction]]:
    tokenizer = _tokenizer(pipeline)
    for prompt in PROMPTS[:prompts]:
        *_, made = run_alone(pipeline, Request(prompt=prompt))
        assert isinstance(made, Result)
        assert made.tokens is not None
        with torch.inference_mode():
            latents = tokenizer.decode(torch.from_numpy(made.tokens.astype(np.int64))[None])
        yield prompt, lambda queries, latents=latents: tokenizer.field(latents, queries[None])[0]
    if corpus is None:
        known = procedural_shapes(HELD_OUT[:shapes], ENCODED)
    else:
        entries = [entry for entry in read_index(corpus) if entry.split == "test"]
        order = np.random.default_rng(0).permutation(len(entries))[:shapes]
        known = corpus_shapes(corpus, [entries[i] for i in order], ENCODED)
    for shape in islice(known, shapes):
        yield shape.name, reconstruct(tokenizer, shape.points, shape.normals)


def _tokenizer(pipeline: Pipeline) -> GridShapeTokenizer:
    tokenizer = pipeline.tokenizers["shape"]
    assert isinstance(tokenizer, GridShapeTokenizer)
    return tokenizer


def _topology(mesh: Mesh) -> dict[str, int]:
    edges = len(mesh.faces) * 3 // 2
    return {
        "vertices": len(mesh.vertices),
        "faces": len(mesh.faces),
        "euler": len(mesh.vertices) - edges + len(mesh.faces),
        "components": np.unique(parts(mesh.faces, len(mesh.vertices))).size,
    }


def _compared(name: str, field: FieldFunction, cells: int) -> dict[str, object]:
    row = _sparse(name, field, cells)
    dense = _seconds(lambda: extract_surface_dense(field, cells=cells))
    row |= {"dense_s": round(dense, 3), "time_ratio": round(dense / float(str(row["sparse_s"])), 1)}
    print(cells, row, flush=True)
    return row


def _sparse(name: str, field: FieldFunction, cells: int) -> dict[str, object]:
    """Seconds to the finished triangles, the better of two."""
    taken = min(_seconds(lambda: extract_surface(field, cells=cells)) for _ in range(2))
    stats = find_surface(field, cells=cells)[1]
    return {
        "shape": name,
        "sparse_s": round(taken, 3),
        "queries": stats.queries,
        "query_ratio": round(1 / stats.share, 1),
    }


def _finishing(mesh: Mesh) -> dict[str, object]:
    tenth = len(mesh.faces) // 10
    works: dict[str, Callable[[], Mesh]] = {
        "islands": lambda: finish(mesh),
        "and smoothing 0.5": lambda: finish(mesh, smoothing=0.5),
        "and a tenth of the faces": lambda: finish(mesh, smoothing=0.5, faces=tenth),
    }
    taken = {name: round(min(_seconds(work) for _ in range(2)), 3) for name, work in works.items()}
    return {"faces": len(mesh.faces), "seconds": taken}


def _preview(pipeline: Pipeline) -> dict[str, float]:
    """Milliseconds of half a shape's latents and of its surface."""
    tokenizer = _tokenizer(pipeline)
    *_, made = run_alone(pipeline, Request(prompt=PROMPTS[0]))
    assert isinstance(made, Result)
    ids = torch.from_numpy(made.tokens.astype(np.int64))[None]
    with torch.inference_mode():
        latents = tokenizer.decode_prefix(ids, ids.shape[1] // 2)

        def field(queries: torch.Tensor) -> torch.Tensor:
            return tokenizer.field(latents, queries[None])[0]

        decode = min(_seconds(lambda: tokenizer.decode_prefix(ids, ids.shape[1] // 2)) for _ in range(5))
        surface = min(_seconds(lambda: extract_surface(field, cells=PREVIEW_CELLS)) for _ in range(5))
    return {"latents": round(1000 * decode, 1), "surface": round(1000 * surface, 1)}


def _perceiver() -> FieldFunction:
    """A field of the published tokenizer's size, weights at random."""
    config = PerceiverShapeTokenizerConfig(
        n_encoder_layers=1, cross_attention_levels=(0,), n_decoder_layers=1
    )
    tokenizer = PerceiverShapeTokenizer(config).eval()
    latents = torch.randn(1, config.n_tokens, config.width)
    return lambda queries: tokenizer.field(latents, queries[None])[0]


@torch.inference_mode()
def _sweep(field: FieldFunction, points: int) -> dict[str, float]:
    """Thousand queries a second by chunk."""
    queries = torch.rand(points, 3) * 2 - 1
    speeds = {}
    for chunk in CHUNKS:
        if chunk <= points:
            taken = min(
                _seconds(lambda c=chunk: [field(part) for part in queries.split(c)]) for _ in range(2)
            )
            speeds[str(chunk)] = round(points / taken / 1000, 1)
    return speeds


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _spread(values: list[float]) -> dict[str, float]:
    return {
        "least": round(min(values), 1),
        "median": round(statistics.median(values), 1),
        "most": round(max(values), 1),
    }


def _report(report: dict[str, object], out: Path | None) -> None:
    report |= {"threads": torch.get_num_threads(), "chunk": chunk_size("cpu"), "machine": platform.machine()}
    if out is not None:
        out.write_text(json.dumps(report, indent=1) + "\n")
    print(json.dumps(report))


if __name__ == "__main__":
    app()
