"""Figures of reconstructions, on fields whose answers are known and on a small random tokenizer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import trimesh
from torch import Tensor

from backend.geometry.surface import FieldFunction
from backend.shape_tokenizer.grid import GridShapeTokenizer, GridShapeTokenizerConfig
from training.evaluation import reconstruction
from training.evaluation.reconstruction import (
    POINTS,
    drawn,
    evaluate,
    reconstruct,
    report,
    score,
    thin_points,
)
from training.evaluation.shapes import KnownShape, procedural_shapes

[SHAPE] = procedural_shapes(range(10_000_000, 10_000_001), POINTS)


def tokenizer(up_axis: str = "z") -> GridShapeTokenizer:
    torch.manual_seed(0)
    config = GridShapeTokenizerConfig(
        token_grid=2, n_codes=16, code_dim=4, width=16, mid_width=16, field_width=8, n_heads=2,
        n_blocks=1, n_attention=1, up_axis=up_axis,  # type: ignore[arg-type]
    )  # fmt: skip
    return GridShapeTokenizer(config).eval()


def exact(shape: KnownShape) -> FieldFunction:
    return lambda queries: torch.from_numpy(-shape.distance(queries.numpy()))


def test_exact_field_scores_like_a_second_sample_of_the_original() -> None:
    scores, mesh = score(exact(SHAPE), SHAPE, 96, np.random.default_rng(0))
    assert mesh is not None
    assert scores.iou == scores.iou_near == 1
    assert scores.chamfer is not None
    assert scores.chamfer < 1.3 * scores.chamfer_floor
    assert scores.normal_consistency is not None
    assert scores.normal_consistency > 0.9


def test_wrong_field_scores_worse() -> None:
    def swollen(queries: Tensor) -> Tensor:
        return exact(SHAPE)(queries) + 0.05

    scores, _ = score(swollen, SHAPE, 48, np.random.default_rng(0))
    assert scores.iou < 0.9
    assert scores.chamfer is not None
    assert scores.chamfer > 1.5 * scores.chamfer_floor


def test_field_without_surface_has_no_distances() -> None:
    scores, mesh = score(
        lambda queries: torch.full((len(queries),), -1.0), SHAPE, 32, np.random.default_rng(0)
    )
    assert mesh is None
    assert scores.iou == 0
    assert scores.chamfer is None


def test_thin_points_are_those_with_an_end_close_behind() -> None:
    def slab(points: np.ndarray, half: float) -> np.ndarray:
        return (np.abs(points[:, 2]) - half).astype(np.float32)

    up = np.array([[0, 0, 1]], np.float32)
    assert thin_points(lambda p: slab(p, 0.04), 0.04 * up, up).all()
    assert not thin_points(lambda p: slab(p, 0.08), 0.08 * up, up).any()


def test_up_axis_of_a_tokenizer_is_respected() -> None:
    points, normals = SHAPE.points[:256], SHAPE.normals[:256]
    queries = torch.rand(64, 3, generator=torch.Generator().manual_seed(0)) - 0.5
    turned = queries[:, [0, 2, 1]] * torch.tensor([1.0, 1.0, -1.0])  # Z up to Y up
    swap = lambda a: np.stack([a[:, 0], a[:, 2], -a[:, 1]], axis=1)  # noqa: E731
    ours = reconstruct(tokenizer("y"), points, normals)(queries)
    theirs = reconstruct(tokenizer("z"), swap(points), swap(normals))(turned)
    torch.testing.assert_close(ours, theirs)


def test_report_has_means_by_group_and_counts() -> None:
    rows = evaluate(tokenizer(), [SHAPE, SHAPE], cells=24)
    told, mean = report(rows), np.mean([row.scores.iou for row in rows])
    assert told["overall"]["shapes"] == 2  # type: ignore[index]
    assert told["by_group"][SHAPE.group]["iou"]["mean"] == round(mean, 5)  # type: ignore[index]
    assert set(reconstruction.DEFINITIONS) == set(told["overall"]) - {"shapes"}  # type: ignore[call-overload]


def test_codebook_health_counts_codes_and_how_evenly_they_are_used() -> None:
    health = reconstruction.codebook_health(np.array([[0, 1, 2, 3], [0, 1, 2, 3]]), 16)
    assert health == {"codes": 16, "used": 4, "perplexity": 4.0, "read": 8}
    assert reconstruction.codebook_health(np.zeros((3, 5), np.int64), 16)["perplexity"] == 1


def test_drawn_numbers_depend_on_the_seed_alone() -> None:
    assert drawn(200, 24) == drawn(200, 24)
    assert len(drawn(200, 24)) == 24
    assert drawn(5, 24) == frozenset(range(5))
    assert drawn(200, 24, seed=1) != drawn(200, 24)


def test_corpus_shapes_are_canonical_and_labelled(tmp_path: Path) -> None:
    from training.data.corpus import CorpusEntry
    from training.evaluation.shapes import corpus_shapes

    (tmp_path / "packs").mkdir()
    box = trimesh.creation.box(bounds=[[3, 0, 0], [5, 1, 1]])
    colors = np.zeros((12, 3), np.uint8)
    np.savez(tmp_path / "packs" / "p.npz", v=box.vertices, f=box.faces, face_rgb=colors)
    entry = CorpusEntry(
        id="p/box", name="box", category="prop", pack="p", split="test",
        colors=(), vertex_range=(0, 8), face_range=(0, 12),
    )  # fmt: skip
    [shape] = corpus_shapes(tmp_path, [entry], 500)
    assert np.abs(shape.points).max() <= 0.9601
    inside = shape.distance(np.array([[0, 0, 0], [1, 1, 1]], np.float32)) < 0
    assert inside.tolist() == [True, False]
