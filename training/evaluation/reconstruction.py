"""What a shape tokenizer keeps of a shape: points -> ids -> field, compared with the original.

All lengths in canonical units (longest side 1.92). `DEFINITIONS` states every figure and its counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from backend.geometry.canonical import BOUNDS, turn
from backend.geometry.mesh import Mesh
from backend.geometry.queries import FieldFunction
from backend.geometry.sampling import sample_surface
from backend.geometry.surface import EmptySurfaceError, extract_surface
from backend.shape_tokenizer.interface import ShapeTokenizer
from training.evaluation.render import blank, render
from training.evaluation.scores import F_THRESHOLD, iou, normal_consistency, surface_distance
from training.evaluation.shapes import Floats, KnownShape
from training.evaluation.sheets import Panel

ENCODED = 4096  # surface points the tokenizer reads
COMPARED = 8192  # surface points of each side of a Chamfer distance
POINTS = ENCODED + 2 * COMPARED  # of a KnownShape: read, compared, and once more for the floor
UNIFORM = 16384  # queries anywhere in the box
ORIGINS = 2048  # surface points that the near queries lie around
NEAR_SCALES = (0.015, 0.015, 0.06, 0.06)  # deviations of the queries around each origin
THIN = 0.1  # parts less thick than this are thin
THIN_STEPS = 8  # depths at which an origin's thickness is probed
MIN_THIN = 64  # origins on thin parts, for a shape to have an IoU over them

DEFINITIONS = {
    "iou": f"{UNIFORM} uniform queries in [-1.05, 1.05]^3",
    "iou_near": f"{ORIGINS * len(NEAR_SCALES)} queries: {ORIGINS} points of the original's outer surface, "
    f"each displaced by normal noise of deviation {', '.join(map(str, NEAR_SCALES))} per axis",
    "iou_thin": "those near queries whose surface point lies on a thin part: along its inward normal the "
    f"shape ends within {THIN} (probed at {THIN_STEPS} even depths); of shapes with {MIN_THIN} such points",
    "thin_share": f"share of the {ORIGINS} surface points on thin parts",
    "chamfer": "mean of both directions' mean nearest distances, not squared, between "
    f"{COMPARED} points of the original's outer surface and {COMPARED} of the extracted one; "
    "canonical units, longest side 1.92",
    "chamfer_squared": "sum of both directions' mean squared nearest distances, same points",
    "f_score": f"F-score at {F_THRESHOLD}, same points",
    "normal_consistency": "mean of both directions' mean |cosine| of the normals of each point and of the "
    "nearest of the other surface, same points",
    "chamfer_floor": "chamfer between two independent samples of the original: what a perfect copy scores",
    "f_score_floor": "F-score between two independent samples of the original",
    "empty": "shapes whose field had no surface; their IoU counts, their distances do not exist",
}


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Figures of one shape, see `DEFINITIONS`; None where they do not exist."""

    iou: float
    iou_near: float
    iou_thin: float | None
    thin_share: float
    chamfer: float | None
    chamfer_squared: float | None
    f_score: float | None
    normal_consistency: float | None
    chamfer_floor: float
    f_score_floor: float


@dataclass(frozen=True, kw_only=True)
class Scored:
    """A shape's name, group and figures, and where asked for its picture beside its reconstruction's."""

    name: str
    group: str
    scores: Scores
    panel: Panel | None
    codes: NDArray[np.int64]  # (tokens,) of the shape


def encoded(tokenizer: ShapeTokenizer, points: Floats, normals: Floats) -> Tensor:
    """Codes (1, tokens) of surface points (n, 3), Z up."""
    up = tokenizer.config.up_axis
    inputs = (torch.from_numpy(turn(array, "z", up).astype(np.float32))[None] for array in (points, normals))
    with torch.inference_mode():
        return tokenizer.encode(*inputs)


def reconstruct(tokenizer: ShapeTokenizer, points: Floats, normals: Floats) -> FieldFunction:
    """The field that is left of surface points (n, 3), Z up, after encoding and decoding."""
    return decoded(tokenizer, encoded(tokenizer, points, normals))


def decoded(tokenizer: ShapeTokenizer, codes: Tensor) -> FieldFunction:
    """The field (positive inside, Z up) of codes (1, tokens)."""
    up = tokenizer.config.up_axis
    with torch.inference_mode():
        latents = tokenizer.decode(codes)

    def field(queries: Tensor) -> Tensor:
        turned = torch.from_numpy(turn(queries.numpy(), "z", up).astype(np.float32))
        with torch.inference_mode():
            return tokenizer.field(latents, turned[None])[0]

    return field


def score(
    field: FieldFunction, shape: KnownShape, cells: int, rng: np.random.Generator
) -> tuple[Scores, Mesh | None]:
    """Figures of a field as a copy of a shape, and its surface unless it has none."""
    _, compared, again = np.split(shape.points, [ENCODED, ENCODED + COMPARED])
    uniform = rng.uniform(-BOUNDS, BOUNDS, (UNIFORM, 3)).astype(np.float32)
    near = _near(compared[:ORIGINS], rng)
    thin = thin_points(shape.distance, compared[:ORIGINS], shape.normals[ENCODED : ENCODED + ORIGINS])
    truth = shape.distance(np.concatenate([uniform, near])) < 0
    ours = (field(torch.from_numpy(np.concatenate([uniform, near]))) > 0).numpy()
    near_truth, near_ours = (mask[UNIFORM:].reshape(ORIGINS, -1) for mask in (truth, ours))
    mesh = _surface(field, cells)
    distance = consistency = None
    if mesh is not None:
        points, facing, _ = sample_surface(mesh.vertices, mesh.faces, COMPARED, rng)
        distance = surface_distance(compared, points)
        normals = shape.normals[ENCODED : ENCODED + COMPARED]
        consistency = normal_consistency(compared, normals, points, facing)
    floor = surface_distance(compared, again)
    scores = Scores(
        iou=iou(truth[:UNIFORM], ours[:UNIFORM]),
        iou_near=iou(near_truth, near_ours),
        iou_thin=iou(near_truth[thin], near_ours[thin]) if thin.sum() >= MIN_THIN else None,
        thin_share=float(thin.mean()),
        chamfer=None if distance is None else distance.chamfer,
        chamfer_squared=None if distance is None else distance.chamfer_squared,
        f_score=None if distance is None else distance.f_score,
        normal_consistency=consistency,
        chamfer_floor=floor.chamfer,
        f_score_floor=floor.f_score,
    )
    return scores, mesh


def thin_points(distance: Callable[[Floats], Floats], points: Floats, normals: Floats) -> NDArray[np.bool_]:
    """(n,) whether the shape ends within THIN behind each surface point (n, 3), along its inward normal."""
    depths = np.linspace(0, THIN, THIN_STEPS + 1, dtype=np.float32)[1:]
    probes = points[:, None] - depths[:, None] * normals[:, None]
    outside: NDArray[np.bool_] = distance(probes.reshape(-1, 3)).reshape(len(points), -1) > 0
    thin: NDArray[np.bool_] = outside.any(axis=1)
    return thin


def _near(origins: Floats, rng: np.random.Generator) -> Floats:
    """Queries (n * scales, 3), those around one origin side by side."""
    noise = rng.normal(size=(len(origins), len(NEAR_SCALES), 3)) * np.array(NEAR_SCALES)[:, None]
    near: Floats = np.clip(origins[:, None] + noise, -BOUNDS, BOUNDS).reshape(-1, 3).astype(np.float32)
    return near


def _surface(field: FieldFunction, cells: int) -> Mesh | None:
    try:
        return extract_surface(field, cells=cells)
    except EmptySurfaceError:
        return None


def evaluate(
    tokenizer: ShapeTokenizer,
    shapes: Iterable[KnownShape],
    *,
    cells: int = 128,
    shown: frozenset[int] = frozenset(),
    size: int = 176,
) -> list[Scored]:
    """Every shape scored; those whose number in the row is in `shown` also pictured."""
    rows = []
    for index, shape in enumerate(shapes):
        codes = encoded(tokenizer, shape.points[:ENCODED], shape.normals[:ENCODED])
        field = decoded(tokenizer, codes)
        scores, mesh = score(field, shape, cells, np.random.default_rng((index, 4)))
        panel = None
        if index in shown:
            ours = blank(size) if mesh is None else render(mesh, size, frame=shape.mesh)
            chamfer = "no surface" if scores.chamfer is None else f"CD {scores.chamfer:.3f}"
            panel = Panel(
                caption=f"{shape.name}\nIoU {scores.iou:.2f}  {chamfer}",
                images=(render(shape.mesh, size, frame=shape.mesh), ours),
            )
        own = codes[0].cpu().numpy()
        rows.append(Scored(name=shape.name, group=shape.group, scores=scores, panel=panel, codes=own))
    return rows


def codebook_health(codes: NDArray[np.int64], n_codes: int) -> dict[str, float]:
    """Of codes of any shape: how many of the codebook occur, and their perplexity (as if all were alike)."""
    counts = np.bincount(codes.ravel(), minlength=n_codes)
    shares = counts[counts > 0] / counts.sum()
    return {
        "codes": n_codes,
        "used": int((counts > 0).sum()),
        "perplexity": round(float(np.exp(-(shares * np.log(shares)).sum())), 1),
        "read": int(counts.sum()),
    }


def report(rows: Sequence[Scored]) -> dict[str, object]:
    """Mean and median of every figure, over all shapes and by group."""
    groups = sorted({row.group for row in rows})
    return {
        "overall": _summary([row.scores for row in rows]),
        "by_group": {group: _summary([row.scores for row in rows if row.group == group]) for group in groups},
    }


def _summary(scores: Sequence[Scores]) -> dict[str, object]:
    out: dict[str, object] = {"shapes": len(scores), "empty": sum(s.chamfer is None for s in scores)}
    for field in fields(Scores):
        values = [value for s in scores if (value := getattr(s, field.name)) is not None]
        out[field.name] = values and {
            "mean": round(float(np.mean(values)), 5),
            "median": round(float(np.median(values)), 5),
            "shapes": len(values),
        }
    return out


def drawn(n: int, count: int, seed: int = 0) -> frozenset[int]:
    """`count` of the numbers below n, drawn by a seed so that nobody picks them."""
    return frozenset(np.random.default_rng(seed).choice(n, min(count, n), replace=False).tolist())
