"""The geometry step: what its product holds, and that damaged meshes keep the right sides."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh

pytest.importorskip("igl")

from training.data.assets.asset import Asset, Material, Rejected, write_asset
from training.data.geometry import GEOMETRY, Geometry, GeometrySettings, read_geometry
from training.data.steps import Item
from training.data.synthetic import generate

SETTINGS = GeometrySettings(n_points=512, n_near=1536, n_uniform=1024)
Mesh = trimesh.Trimesh


def asset(mesh: Mesh, **known: Any) -> Asset:
    m = len(mesh.faces)
    fields = {"provenance": {}, "materials": (Material(),), "part_names": ("",)} | known
    return Asset(
        key="k",
        name="thing",
        source="s",
        vertices=mesh.vertices.astype(np.float32),
        faces=mesh.faces.astype(np.int32),
        face_material=np.zeros(m, np.int32),
        parts=np.zeros(m, np.int32),
        **fields,
    )


def made(
    tmp_path: Path, thing: Asset, settings: GeometrySettings = SETTINGS
) -> tuple[Geometry, dict[str, Any]]:
    write_asset(tmp_path / "a.asset.safetensors", thing)
    item = Item(key="k", inputs={"asset": "a.asset.safetensors"})
    facts = GEOMETRY.make(item, settings, tmp_path, tmp_path / "product.safetensors")
    return read_geometry(tmp_path / "product.safetensors"), facts


def soup(mesh: Mesh, faces: np.ndarray) -> Mesh:
    return Mesh(mesh.vertices, faces, process=False)


def turned(mesh: Mesh, share: int) -> Mesh:
    every = (np.arange(len(mesh.faces)) % share == 0)[:, None]
    return soup(mesh, np.where(every, mesh.faces[:, ::-1], mesh.faces))


def with_inner_ball(mesh: Mesh) -> Mesh:
    inner = trimesh.creation.icosphere(2, 0.2)
    inner.invert()
    return trimesh.util.concatenate([mesh, inner])


DAMAGE: dict[str, Callable[[Mesh], Mesh]] = {
    "whole": lambda mesh: mesh,
    "inverted": lambda mesh: soup(mesh, mesh.faces[:, ::-1]),
    "mixed sides": lambda mesh: turned(mesh, 3),
    "a face is missing": lambda mesh: soup(mesh, np.delete(mesh.faces, 5, axis=0)),
    "faces twice": lambda mesh: soup(mesh, np.concatenate([mesh.faces, mesh.faces[::2]])),
    "faces twice, some turned": lambda mesh: turned(soup(mesh, np.concatenate([mesh.faces, mesh.faces])), 7),
    "split corners": lambda mesh: Mesh(
        mesh.triangles.reshape(-1, 3), np.arange(3 * len(mesh.faces)).reshape(-1, 3), process=False
    ),
    "itself again, within": lambda mesh: trimesh.util.concatenate(
        [mesh, Mesh(mesh.vertices * 0.8, mesh.faces, process=False)]
    ),
    "an inner ball": with_inner_ball,
}
HALF = np.array([0.5, 0.7, 0.96])


def box(q: np.ndarray) -> np.ndarray:
    d = np.abs(q) - HALF
    return np.linalg.norm(np.maximum(d, 0), axis=1) + np.minimum(d.max(axis=1), 0)


def ball(q: np.ndarray) -> np.ndarray:
    return np.linalg.norm(q, axis=1) - 0.96


SOLIDS = {
    "box": (trimesh.creation.box(2 * HALF).subdivide().subdivide(), box),
    "ball": (trimesh.creation.icosphere(4, 0.96), ball),
}


@pytest.mark.parametrize("solid", SOLIDS)
@pytest.mark.parametrize("damage", DAMAGE)
def test_signs_are_right_over_999_in_1000(tmp_path: Path, solid: str, damage: str) -> None:
    mesh, exact = SOLIDS[solid]
    geometry, _ = made(tmp_path, asset(DAMAGE[damage](mesh)))
    expected = exact(geometry.queries.astype(np.float64))
    clear = np.abs(expected) > 0.002  # beyond the facets' departure from the ball
    assert ((geometry.distances < 0) == (expected < 0))[clear].mean() > 0.999


def test_queries_and_points_are_stored_as_they_were_labelled(tmp_path: Path) -> None:
    geometry, facts = made(tmp_path, asset(SOLIDS["box"][0]))
    queries = geometry.queries.astype(np.float64)
    np.testing.assert_allclose(geometry.distances, np.clip(box(queries), -0.25, 0.25), atol=2e-4)
    assert np.abs(box(geometry.points.astype(np.float64))).max() < 5e-4
    assert geometry.near.sum() == 1536
    assert np.abs(geometry.distances[geometry.near]).mean() < 0.05
    points, inside = geometry.occupancy()
    assert (inside == (box(points.astype(np.float64)) < 0)).all()
    assert facts["inside"] == pytest.approx(8 * HALF.prod() / 2.1**3, abs=0.05)
    assert not facts["exact"]


def test_only_the_skin_is_sampled(tmp_path: Path) -> None:
    geometry, facts = made(tmp_path, asset(with_inner_ball(SOLIDS["ball"][0])))
    assert np.linalg.norm(geometry.points.astype(np.float32), axis=1).min() > 0.9
    outward = np.einsum("ij,ij->i", geometry.points.astype(np.float32), geometry.normals / 127)
    assert outward.min() > 0.9
    assert 0 < facts["buried"] < 0.1


def test_sheets_and_thin_walls_get_a_thickness(tmp_path: Path) -> None:
    corners = np.array([[-0.96, -0.5, 0], [0.96, -0.5, 0], [0.96, 0.5, 0], [-0.96, 0.5, 0]])
    sheet = Mesh(corners, [[0, 1, 2], [0, 2, 3]], process=False)
    plate = trimesh.creation.box((1.92, 1.0, 0.002))
    for mesh, thickness, fact in ((sheet, 0.05, "sheets"), (plate, 0.02, "thickened")):
        geometry, facts = made(tmp_path, asset(mesh))
        above = np.abs(geometry.queries.astype(np.float32))
        over = (above[:, :2] < [0.9, 0.45]).all(axis=1)
        deep = over & (above[:, 2] < 0.45 * thickness)
        assert (geometry.distances[deep] < 0).all()
        assert (geometry.distances[over & (above[:, 2] > 0.65 * thickness)] > 0).all()
        assert facts[fact] > 0.9


def test_points_have_the_colour_of_the_surface(tmp_path: Path) -> None:
    mesh = SOLIDS["box"][0]
    red = np.where(mesh.vertices[:, 2] > 0, 200, 20)
    colors = np.stack([red, 0 * red, 0 * red, 255 + 0 * red], axis=1).astype(np.uint8)
    geometry, facts = made(tmp_path, asset(mesh, colors=colors))
    top = geometry.points[:, 2] > 0.6
    assert facts["colored"]
    assert (geometry.point_colors[top, 0] == 200).all()
    assert (geometry.point_colors[geometry.points[:, 2] < -0.01, 0] == 20).all()


def test_procedural_objects_are_labelled_by_their_generator(tmp_path: Path) -> None:
    solid = generate(3)
    mesh = solid.to_mesh()
    whole = Mesh(mesh.vertices, mesh.faces, process=False)
    own = {"provenance": {"family": solid.family, "seed": "3"}}
    geometry, facts = made(tmp_path, asset(whole, **own))
    exact = np.clip(solid.signed_distance(geometry.queries.astype(np.float32)), -0.25, 0.25)
    assert facts["exact"]
    np.testing.assert_allclose(geometry.distances, exact, atol=3e-3)
    changed = soup(whole, whole.faces[: len(whole.faces) // 2])
    assert not made(tmp_path, asset(changed, **own))[1]["exact"]


def test_the_same_asset_gives_the_same_bytes(tmp_path: Path) -> None:
    made(tmp_path, asset(SOLIDS["ball"][0]))
    first = (tmp_path / "product.safetensors").read_bytes()
    made(tmp_path, asset(SOLIDS["ball"][0]))
    assert first == (tmp_path / "product.safetensors").read_bytes()


@pytest.mark.parametrize(
    ("mesh", "reason"),
    [
        (Mesh(np.zeros((3, 3)), [[0, 1, 2]], process=False), "no_surface"),
        (Mesh(np.zeros((0, 3)), np.zeros((0, 3), int), process=False), "no_surface"),
        (trimesh.creation.box((4, 1, 1)), "outside_domain"),
        (Mesh(np.full((3, 3), np.nan), [[0, 1, 2]], process=False), "outside_domain"),
    ],
)
def test_what_cannot_be_sampled_is_refused(tmp_path: Path, mesh: Mesh, reason: str) -> None:
    with pytest.raises(Rejected) as refused:
        made(tmp_path, asset(mesh))
    assert refused.value.reason == reason
    assert not (tmp_path / "product.safetensors").exists()


def test_half_a_product_is_refused(tmp_path: Path) -> None:
    made(tmp_path, asset(SOLIDS["ball"][0]))
    product = tmp_path / "product.safetensors"
    product.write_bytes(product.read_bytes()[:1000])
    with pytest.raises(ValueError, match="not a whole"):
        read_geometry(product)
