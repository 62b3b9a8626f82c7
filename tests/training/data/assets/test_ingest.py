"""Files to assets: what is read, how it is oriented, scaled, coloured and described, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from training.data.assets.asset import Asset, Rejected
from training.data.assets.ingest import IngestSettings, close_blender, ingest, readable
from training.data.assets.sources import Source, find_sources

REFUSED = {
    "empty.obj": "empty",
    "no_faces.obj": "empty",
    "points.ply": "empty",
    "wrong_index.obj": "corrupt",
    "one_place.obj": "no_extent",
    "old.3ds": "unsupported_format",
    "garbage.glb": "corrupt",
    "garbage.stl": "empty",
    "garbage.zip": "corrupt_zip",
    "escape.zip": "corrupt_zip",
    "cut.glb": "corrupt",
    "circle.glb": "corrupt",
    "wrong_buffer.glb": "corrupt",
    "huge.glb": "too_many_faces",
}


@pytest.fixture(scope="module", autouse=True)
def blender_ends() -> Iterator[None]:
    yield
    close_blender()


def one(folder: Path, name: str, **settings: object) -> Asset:
    source = Source(path=folder / name, name=name)
    (asset,) = ingest(source, IngestSettings(**settings)).assets  # type: ignore[arg-type]
    return asset


def sources(folder: Path, scratch: Path) -> dict[str, Source]:
    return {source.name: source for source in find_sources(folder, scratch, zip_bytes=1 << 20)}


@pytest.mark.parametrize(("name", "reason"), REFUSED.items())
def test_bad_files_are_refused_with_a_reason(
    odd_folder: Path, tmp_path: Path, name: str, reason: str
) -> None:
    with pytest.raises(Rejected) as refused:
        ingest(sources(odd_folder, tmp_path)[name], IngestSettings())
    assert refused.value.reason == reason
    assert refused.value.detail.endswith(".")
    assert not (odd_folder / "out.obj").exists()  # nothing left its archive


def test_limits_are_checked_before_a_file_is_read(odd_folder: Path) -> None:
    with pytest.raises(Rejected, match="too_large"):
        one(odd_folder, "instanced.glb", max_bytes=100)
    with pytest.raises(Rejected, match="too_many_faces"):
        one(odd_folder, "instanced.glb", max_faces=900)  # 3 of 320 each


def test_unitless_files_come_in_one_size_and_remember_theirs(odd_folder: Path) -> None:
    asset = one(odd_folder, "micrometres.stl")
    assert np.ptp(asset.vertices, axis=0).max() == pytest.approx(1.92)
    assert float(asset.provenance["unit"]) == pytest.approx(2e6 / 1.92, rel=1e-3)
    assert asset.colors is None


def test_gltf_is_turned_from_y_up_and_its_licence_read(odd_folder: Path) -> None:
    asset = one(odd_folder, "signed.glb")
    assert np.allclose(np.ptp(asset.vertices, axis=0), np.array([1, 3, 2]) * 0.64)
    assert asset.licence == "CC-BY-4.0 Ann"
    kept = one(odd_folder, "signed.glb", up="z")
    assert np.allclose(np.ptp(kept.vertices, axis=0), np.array([1, 2, 3]) * 0.64)


@pytest.mark.parametrize(
    ("name", "note", "faces"),
    [
        ("instanced.glb", "instances_realised", 960),
        ("animated.glb", "rest_pose", 12),
        ("no_texture.glb", "texture_missing", 12),
        ("nan.obj", "not_finite_dropped", 3),
    ],
)
def test_odd_files_are_handled_and_noted(odd_folder: Path, name: str, note: str, faces: int) -> None:
    asset = one(odd_folder, name)
    assert (note in asset.notes, len(asset.faces)) == (True, faces)


def test_mirrored_objects_keep_their_outside(odd_folder: Path) -> None:
    assert one(odd_folder, "mirrored.glb").mesh.signed_volume() > 0


def test_an_index_speaks_for_files_in_folders_and_zips(odd_folder: Path, tmp_path: Path) -> None:
    found = sources(odd_folder, tmp_path)
    for name in ("kit/woodenChair_02.obj", "kit.zip/woodenChair_02.obj"):
        (asset,) = ingest(found[name], IngestSettings(licence="other", author="Ann")).assets
        assert (asset.name, asset.licence, asset.author) == ("Wooden chair", "CC0-1.0", "Ann")
        assert (asset.tags, asset.provenance["url"]) == (("seat", "wood"), "https://a.example")


def test_materials_textures_and_parts_of_an_obj(odd_folder: Path) -> None:
    asset = one(odd_folder, "kit/woodenChair_02.obj")
    by_name = {material.name: material for material in asset.materials}
    assert set(asset.part_names) == {"seat", "back"}
    assert by_name["wood"].texture is not None
    assert by_name["red"].base_color == (1.0, 0.0, 0.0, 1.0)
    colors = asset.face_colors()
    assert colors is not None
    red = np.array([asset.materials[i].name == "red" for i in asset.face_material])
    assert (colors[red] == (255, 0, 0)).all()  # not mixed with its neighbour's
    assert (colors[~red].std(axis=1) < 1).all()


def test_textures_are_reduced_to_the_limit(odd_folder: Path) -> None:
    asset = one(odd_folder, "kit/woodenChair_02.obj", texture_pixels=16)
    assert "texture_reduced" in asset.notes


def test_a_file_can_be_split_by_object(odd_folder: Path) -> None:
    source = Source(path=odd_folder / "kit/woodenChair_02.obj", name="chair.obj")
    assets = ingest(source, IngestSettings(split_objects=True)).assets
    assert sorted(asset.source for asset in assets) == ["chair.obj#back", "chair.obj#seat"]
    assert all(np.ptp(asset.vertices, axis=0).max() == pytest.approx(1.92) for asset in assets)


@pytest.mark.parametrize("name", ["two.fbx", "two.usdz", "two.blend"])
def test_blender_reads_what_trimesh_does_not(blender_folder: Path, name: str) -> None:
    asset = one(blender_folder, name)
    assert len(asset.part_names) == 2
    assert len(asset.faces) > 1000
    gold = next(material for material in asset.materials if material.name == "gold")
    assert (gold.metallic, gold.base_color[:3]) == (1.0, pytest.approx((1.0, 0.5, 0.0), abs=0.01))
    assert np.ptp(asset.vertices, axis=0).argmax() == 0  # the ring lies beside the hat
    colors = asset.face_colors()
    assert colors is not None
    hat = asset.parts == np.bincount(asset.parts).argmin()  # a cone has fewer faces than a ring
    assert (colors[hat] == (0, 0, 255)).all()  # painted, where no material says otherwise
    assert np.ptp(colors[~hat], axis=0).max() == 0


@pytest.mark.parametrize("name", ["posed.blend", "skinned.glb"])
def test_posed_assets_come_in_their_rest_pose(blender_folder: Path, name: str) -> None:
    asset = one(blender_folder, name)
    assert "rest_pose" in asset.notes
    assert np.allclose(np.ptp(asset.vertices, axis=0), 1.92, atol=0.05)  # a cone as wide as high


@pytest.mark.parametrize("name", ["garbage.fbx", "garbage.blend", "garbage.usdc"])
def test_blender_survives_garbage(odd_folder: Path, blender_folder: Path, name: str) -> None:
    with pytest.raises(Rejected, match=r"corrupt|empty"):
        one(odd_folder, name)
    assert one(blender_folder, "two.blend").part_names


def test_a_blender_that_hangs_is_ended_and_the_next_file_read(blender_folder: Path) -> None:
    with pytest.raises(Rejected, match="timeout"):
        one(blender_folder, "two.fbx", seconds=1e-4)
    assert one(blender_folder, "two.fbx").part_names


def test_what_blender_cannot_read_is_named_without_its_folder(blender_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.fbx").write_bytes(b"nothing")
    with pytest.raises(Rejected, match=r"corrupt: bad.fbx: .*bad.fbx") as refused:
        one(tmp_path, "bad.fbx")
    assert str(tmp_path) not in str(refused.value)


def test_a_missing_blender_is_a_reason(blender_folder: Path) -> None:
    with pytest.raises(Rejected, match="no_blender"):
        ingest(Source(path=blender_folder / "two.fbx", name="two.fbx"), IngestSettings(), "/nowhere/blender")


def test_names_become_words() -> None:
    assert readable("woodenChair_02") == "wooden chair"
    assert readable("SM_HTTPServer-003") == "sm http server"
    assert readable("42") == "42"
