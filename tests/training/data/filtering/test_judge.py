"""Every reason of the filter: an asset that has exactly this fault, and its twin that has none."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import trimesh
from PIL import Image

from backend.geometry import canonical
from training.data.assets.asset import Asset, Material, Rejected
from training.data.filtering import FilterSettings, judge
from training.data.filtering.field import thin_walls
from training.data.filtering.judge import PREDICATES, require
from training.data.filtering.shape import WeldedMesh, floaters


def asset(mesh: trimesh.Trimesh) -> Asset:
    vertices = canonical.fit(mesh.vertices).to_canonical(mesh.vertices).astype(np.float32)
    zeros = np.zeros(len(mesh.faces), np.int32)
    return Asset(
        key="a-b",
        name="thing",
        source="thing.obj",
        provenance={},
        vertices=vertices,
        faces=np.asarray(mesh.faces, np.int32),
        materials=(Material(),),
        face_material=zeros,
        parts=zeros,
        part_names=("",),
    )


def joined(*meshes: trimesh.Trimesh) -> trimesh.Trimesh:
    return trimesh.util.concatenate(list(meshes))


def table(*more: trimesh.Trimesh) -> trimesh.Trimesh:
    """Two wide, one high, its legs stuck into its top."""
    top = trimesh.creation.box((2.0, 1.2, 0.2)).apply_translation((0, 0, 1))
    legs = [
        trimesh.creation.box((0.2, 0.2, 1.0)).apply_translation((x, y, 0.5))
        for x in (-0.8, 0.8)
        for y in (-0.4, 0.4)
    ]
    return joined(top, *legs, *more)


def with_faces(faces: np.ndarray) -> trimesh.Trimesh:
    base = table()
    return trimesh.Trimesh(base.vertices, np.concatenate([base.faces, faces]), process=False)


def bead(x: float, z: float) -> trimesh.Trimesh:
    return trimesh.creation.icosphere(1, 0.05).apply_translation((x, 0, z))


def picture(pixels: int) -> bytes:
    file = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 255, (pixels, pixels, 3)).astype(np.uint8)
    Image.fromarray(noise).save(file, "PNG")
    return file.getvalue()


def textured(pixels: int, scale: tuple[float, float] = (0.5, 0.5)) -> Asset:
    """A table with a box-projected picture whose UVs are scaled."""
    plain = asset(table())
    corners = plain.vertices[plain.faces]
    axis = np.abs(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])).argmax(axis=1)
    flat = np.array([[1, 2], [0, 2], [0, 1]])[axis]
    uvs = np.take_along_axis(corners, flat[:, None, :], axis=2) * np.array(scale, np.float32) + 0.5
    return replace(plain, uvs=uvs.astype(np.float32), materials=(Material(texture=picture(pixels)),))


def ball(noise: float) -> trimesh.Trimesh:
    mesh = trimesh.creation.icosphere(4)
    mesh.vertices *= 1 + np.random.default_rng(0).normal(scale=noise, size=(len(mesh.vertices), 1))
    return mesh


def screen(thickness: float) -> trimesh.Trimesh:
    """A folding screen of eight panels; without thickness a lone sheet."""
    x, y = np.arange(9) * 0.25, np.arange(9) % 2 * 0.15
    front = np.array([(a, b, z) for a, b in zip(x, y, strict=True) for z in (0.0, 1.5)])
    panels = [(2 * i, 2 * i + 2, 2 * i + 3) for i in range(8)] + [
        (2 * i, 2 * i + 3, 2 * i + 1) for i in range(8)
    ]
    if not thickness:
        return trimesh.Trimesh(front, panels, process=False)
    boxes = []
    for i in range(8):
        hull = np.concatenate(
            [front[2 * i : 2 * i + 4] + np.array([0, side, 0]) for side in (0.0, thickness)]
        )
        boxes.append(trimesh.convex.convex_hull(hull))
    return joined(*boxes)


Pair = tuple[Callable[[], Asset], Callable[[], Asset]]
CASES: dict[str, Pair] = {
    "too_few_faces": (
        lambda: asset(trimesh.convex.convex_hull(np.concatenate([np.eye(3), -np.eye(3)]))),
        lambda: asset(trimesh.creation.icosahedron()),
    ),
    "degenerate_faces": (
        lambda: asset(with_faces(np.tile([[0, 1, 1]], (60, 1)))),
        lambda: asset(with_faces(np.tile([[0, 1, 1]], (6, 1)))),
    ),
    "duplicate_faces": (
        lambda: asset(joined(table(), table())),
        lambda: asset(joined(table(), table().apply_translation((0.5, 0.3, 0.1)))),
    ),
    "no_volume": (
        lambda: asset(table().apply_transform(np.diag([1, 1e-5, 1, 1]))),
        lambda: asset(table().apply_transform(np.diag([1, 0.2, 1, 1]))),
    ),
    "too_simple": (
        lambda: asset(trimesh.creation.box().subdivide().subdivide()),
        lambda: asset(trimesh.creation.cylinder(1, 1, sections=8)),
    ),
    "broken_uvs": (lambda: textured(256, (0.5, 0.0)), lambda: textured(256)),
    "low_resolution_texture": (lambda: textured(16), lambda: textured(256)),
    "scan_noise": (lambda: asset(ball(0.02)), lambda: asset(ball(0.0))),
    "thin_walls": (lambda: asset(screen(0.0)), lambda: asset(screen(0.12))),
    "floaters": (lambda: asset(table(bead(0, 1.6))), lambda: asset(table(bead(0, 1.12)))),
}


def reasons(thing: Asset) -> list[str]:
    return [code for code, _ in judge(thing, FilterSettings()).reasons]


def test_every_predicate_has_its_case() -> None:
    assert set(CASES) == set(PREDICATES)


@pytest.mark.parametrize("code", CASES)
def test_a_fault_is_found_alone_and_its_twin_is_kept(code: str) -> None:
    bad, clean = CASES[code]
    assert (reasons(bad()), reasons(clean())) == ([code], [])


def test_broken_uvs_that_are_no_numbers_or_are_not_there() -> None:
    good = textured(256)
    assert reasons(replace(good, uvs=None)) == ["broken_uvs"]
    assert good.uvs is not None
    assert reasons(replace(good, uvs=np.full_like(good.uvs, np.nan))) == ["broken_uvs"]


def test_palettes_and_gradients_are_no_broken_uvs() -> None:
    good = textured(256)
    assert good.uvs is not None
    assert reasons(replace(good, uvs=np.full_like(good.uvs, 0.3))) == []
    ramp = np.repeat(np.linspace(0, 255, 256).astype(np.uint8)[:, None], 256, axis=1)
    file = io.BytesIO()
    Image.fromarray(ramp).convert("RGB").save(file, "PNG")
    line = textured(256, (0.0, 0.5))
    assert reasons(replace(line, materials=(Material(texture=file.getvalue()),))) == []


@pytest.mark.parametrize(("thickness", "thin"), [(0.5, 1.0), (2.0, 0.0)])
def test_closed_walls_are_thin_by_their_thickness(thickness: float, thin: float) -> None:
    limits = FilterSettings()
    slab = asset(trimesh.creation.box((2.0, 2.0, 2.0 * limits.wall * thickness)))
    share, area = thin_walls(WeldedMesh(slab), limits.wall, limits.thin_samples)
    assert (share, area) == (pytest.approx(thin, abs=0.05), pytest.approx(2.0 * thin, abs=0.1))


def test_faces_buried_in_other_parts_are_not_thin() -> None:
    block = trimesh.creation.box((2, 2, 2))
    sheet = screen(0.0).apply_translation((-1, 0, -0.75))  # a lone sheet, all inside the block
    limits = FilterSettings()
    assert thin_walls(WeldedMesh(asset(joined(block, sheet))), limits.wall, limits.thin_samples)[0] < 0.02


def test_parts_that_hang_on_each_other_do_not_float() -> None:
    chain = [bead(0, 1.14 + 0.12 * link) for link in range(6)]
    assert floaters(WeldedMesh(asset(table(*chain))), 0.05) == (0.0, 0.0)
    share, gap = floaters(WeldedMesh(asset(table(bead(0, 1.6)))), 0.05)
    assert 0 < share < 0.02
    assert gap == pytest.approx(0.45 / 2.0, abs=0.01)


def test_what_stands_on_the_ground_does_not_float() -> None:
    assert reasons(asset(table(bead(1.6, 0.05)))) == []


def test_a_blade_is_thin_but_not_large() -> None:
    blade = trimesh.creation.box((0.2, 0.002, 2.0)).subdivide().subdivide()
    blade.vertices[:, 1] *= 1 - np.abs(blade.vertices[:, 0]) * 5
    knife = joined(blade, trimesh.creation.cylinder(0.06, 0.6).apply_translation((0, 0, -1.2)))
    verdict = judge(asset(knife), FilterSettings())
    assert (verdict.measures["thin"] > 0.5, verdict.reasons) == (True, ())


def test_two_large_objects_are_a_pair_not_debris() -> None:
    pair = joined(table(), table().apply_translation((4, 0, 0)))
    assert reasons(asset(pair)) == []


def test_a_rejection_names_every_reason() -> None:
    floating = replace(asset(table(bead(0, 1.6))), materials=(Material(texture=picture(64)),))
    with pytest.raises(Rejected, match=r"broken UVs\..* float") as refused:
        require(floating, FilterSettings())
    assert refused.value.reason == "broken_uvs"
