"""Surfaces read back from signed distances and from stored samples lie where the asset's own does."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import trimesh

pytest.importorskip("igl")

from training.data import round_trip
from training.data.assets.asset import Asset, Material, write_asset
from training.data.geometry import GeometrySettings
from training.data.rendering.raster import NoGraphicsError
from training.evaluation.render import render

SETTINGS = GeometrySettings(n_points=2048, n_near=8192, n_uniform=1024)


def asset(key: str, mesh: trimesh.Trimesh) -> Asset:
    return Asset(
        key=key,
        name=key,
        source=key,
        provenance={},
        vertices=mesh.vertices.astype(np.float32),
        faces=mesh.faces.astype(np.int32),
        materials=(Material(),),
        face_material=np.zeros(len(mesh.faces), np.int32),
        parts=np.zeros(len(mesh.faces), np.int32),
        part_names=("",),
    )


RING = asset("ring", trimesh.creation.torus(0.7, 0.26, 48, 24))


def test_a_ring_comes_back_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(round_trip, "POINTS", 4000)
    trip = round_trip.round_trip(RING, SETTINGS, 64)
    assert trip.field is not None
    assert trip.samples is not None
    for mesh in (trip.field, trip.samples):
        assert mesh.signed_volume() == pytest.approx(2 * np.pi**2 * 0.7 * 0.26**2, rel=0.03)
    assert trip.of_field.chamfer < 1.03 * trip.floor.chamfer
    assert trip.of_samples.chamfer < 1.1 * trip.floor.chamfer
    assert round_trip.row(trip)["of_field"]["f_score"] == trip.of_field.f_score


def test_the_command_writes_a_sheet_and_a_row_per_asset(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(round_trip, "POINTS", 500)
    try:
        render(RING.mesh, size=8)
    except NoGraphicsError as error:
        pytest.skip(str(error))
    (tmp_path / "assets" / "ab").mkdir(parents=True)
    write_asset(tmp_path / "assets" / "ab" / "ring.asset.safetensors", RING)
    write_asset(tmp_path / "assets" / "far.asset.safetensors", asset("far", trimesh.creation.box((9, 1, 1))))
    round_trip.compare(tmp_path / "assets", tmp_path / "out", count=5, cells=32)
    rows = [json.loads(line) for line in (tmp_path / "out" / "rows.jsonl").read_text().splitlines()]
    assert [row["key"] for row in rows] == ["ring"]
    assert (tmp_path / "out" / "sheet.png").stat().st_size > 1000
