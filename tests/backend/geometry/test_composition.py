"""Edits keep what was not edited: fields of simple solids, some of them as blurred as decoded ones."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from backend.geometry.composition import BAND, Composition
from backend.geometry.queries import CPU_CHUNK, FieldFunction
from backend.geometry.surface import extract_surface

LOGITS = 7.0  # of the decoder, per unit of distance
NOISE = 0.015  # how far its surfaces are off


def ball(points: Tensor, center: tuple[float, float, float], radius: float) -> Tensor:
    return radius - (points - torch.tensor(center)).norm(dim=1)


def body(points: Tensor) -> Tensor:
    return ball(points, (0.0, 0.0, -0.3), 0.5)


def button(points: Tensor) -> Tensor:
    return ball(points, (0.0, -0.52, -0.3), 0.06)


def head(points: Tensor) -> Tensor:
    return ball(points, (0.0, 0.0, 0.45), 0.3)


def source(points: Tensor) -> Tensor:
    return torch.maximum(body(points), button(points))


def decoded(field: FieldFunction, seed: float) -> FieldFunction:
    """Without the button, which is too small for codes, and off by noise of its own."""
    return lambda points: LOGITS * (field(points) + NOISE * torch.sin(9 * points + seed).prod(dim=1))


def edit(after: FieldFunction, given: FieldFunction | None = source) -> Composition:
    return Composition(given, decoded(body, 1.0), after, chunk=CPU_CHUNK)


def with_head(points: Tensor) -> Tensor:
    return torch.maximum(body(points), head(points))


def test_what_was_not_edited_does_not_move() -> None:
    mesh = extract_surface(edit(decoded(with_head, 2.0)), cells=64)
    old = torch.from_numpy(mesh.vertices[mesh.vertices[:, 2] < 0])
    off = source(old).abs()
    assert off.quantile(0.98) < 0.002
    assert off.max() < 0.01  # a third of a cell, in the crease around the button
    assert (button(old) > -0.003).sum() > 10  # the detail that codes lose


def test_what_was_added_is_there() -> None:
    mesh = extract_surface(edit(decoded(with_head, 2.0)), cells=64)
    new = torch.from_numpy(mesh.vertices[mesh.vertices[:, 2] > 0.4])
    assert head(new).abs().max() < 1.5 * NOISE
    assert mesh.vertices[:, 2].max() > 0.72


def test_what_was_removed_is_gone() -> None:
    composed = Composition(with_head, decoded(with_head, 1.0), decoded(body, 2.0), chunk=CPU_CHUNK)
    assert extract_surface(composed, cells=64).vertices[:, 2].max() < 0.25


def test_noise_alone_is_no_edit() -> None:
    composed = edit(decoded(body, 2.0))
    points = torch.rand(500, 3) * 2 - 1
    assert torch.equal(composed(points), source(points).clamp(-BAND, BAND))
    assert not composed.weight(points.numpy()).any()


def test_a_slight_change_is_an_edit() -> None:
    thicker = edit(lambda points: LOGITS * (body(points) + 0.03))
    low = extract_surface(thicker, cells=64).vertices[:, 2].min()
    assert low < -0.82


def test_codes_alone_are_kept_where_they_agree() -> None:
    before = decoded(body, 1.0)
    mesh = extract_surface(edit(decoded(with_head, 1.0), given=None), cells=64)
    old = torch.from_numpy(mesh.vertices[mesh.vertices[:, 2] < 0])
    assert (before(old) / LOGITS).abs().max() < 0.003


def test_a_source_that_decodes_to_nothing_gives_way() -> None:
    composed = Composition(
        source, lambda points: -points.norm(dim=1) - 1, decoded(head, 0.0), chunk=CPU_CHUNK
    )
    assert np.all(extract_surface(composed, cells=64).vertices[:, 2] > 0.1)
