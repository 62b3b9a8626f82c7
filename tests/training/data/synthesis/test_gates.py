from dataclasses import replace

import numpy as np
import pytest
import trimesh

from tests.training.data.synthesis.stand_ins import lit
from training.data.assets.asset import Asset
from training.data.synthesis.gallery import best_match, look_around
from training.data.synthesis.gates import GateSettings, Subject, rate, texture
from training.data.synthesis.painting import painted

pytestmark = pytest.mark.usefixtures("graphics")
SMALL = GateSettings(size=192)


@pytest.fixture
def house(things: list[Asset]) -> Asset:
    assert things[1].name == "house"
    return things[1]


def low(asset: Asset, cut: np.ndarray | None = None, view: str | None = None) -> list[str]:  # type: ignore[type-arg]
    return [rating.axis for rating in rate(asset, SMALL, cut, view) if not rating.high]


def kept(asset: Asset, faces: np.ndarray) -> Asset:  # type: ignore[type-arg]
    return replace(
        asset, faces=asset.faces[faces], face_material=asset.face_material[faces], parts=asset.parts[faces]
    )


def dense(asset: Asset, faces: int = 8000) -> Asset:
    """The same surface in smaller triangles, one grey."""
    vertices, corners = asset.vertices, asset.faces
    while len(corners) < faces:
        vertices, corners = trimesh.remesh.subdivide(vertices, corners)
    vertices, place = np.unique(np.round(vertices, 5), axis=0, return_inverse=True)
    none = np.zeros(len(corners), np.int32)
    return replace(
        asset,
        vertices=vertices.astype(np.float32),
        faces=place.ravel()[corners].astype(np.int32),
        colors=np.full((len(vertices), 4), 128, np.uint8),
        materials=asset.materials[:1],
        face_material=none,
        parts=none,
        part_names=("",),
    )


def test_good_objects_are_high_on_all_axes(things: list[Asset]) -> None:
    for asset in (things[1], things[3], things[11]):
        assert low(asset, lit(asset, "front"), "front") == [], asset.name


def test_a_shape_that_is_not_its_picture_is_inconsistent(things: list[Asset], house: Asset) -> None:
    assert low(house, lit(things[3], "front"), "front") == ["consistency"]


def test_a_match_is_found_without_knowing_the_view(house: Asset) -> None:
    found = best_match(house, lit(house, None), None)
    assert found.overlap > 0.9


def test_an_open_shell_is_inconsistent(things: list[Asset]) -> None:
    bottle = things[11]
    front = bottle.vertices[bottle.faces].mean(axis=1)[:, 1] < 0.05
    assert "consistency" in low(kept(bottle, front))


def test_a_rough_surface_is_inconsistent(house: Asset) -> None:
    rough = dense(house)
    shaken = rough.vertices + np.random.default_rng(0).normal(0, 0.012, rough.vertices.shape)
    assert "consistency" in low(replace(rough, vertices=shaken.astype(np.float32)))


def test_a_muddy_texture_is_low_and_the_same_pattern_sharp_is_high(house: Asset) -> None:
    fine = dense(house, 30_000)
    wave = fine.vertices @ np.array([9.0, 13.0, 17.0])

    def patterned(values: np.ndarray) -> Asset:  # type: ignore[type-arg]
        shade = np.round(255 * (0.5 + 0.3 * values))[:, None] * np.array([[1.0, 0.8, 0.6, 0.0]])
        return replace(fine, colors=(shade + np.array([[0, 0, 0, 255]])).astype(np.uint8))

    def high(asset: Asset) -> bool:
        return texture(Subject(asset=asset, looks=look_around(asset, 256)), GateSettings()).high

    assert high(patterned(np.sign(np.sin(wave / 2))))
    assert not high(patterned(np.sin(wave / 2)))


def test_one_colour_is_flat_and_none_is_low_unless_allowed(house: Asset) -> None:
    assert low(replace(house, colors=np.full((len(house.vertices), 4), 128, np.uint8))) == ["texture"]
    bare = replace(house, colors=None)
    assert low(bare) == ["texture"]
    assert all(rating.high for rating in rate(bare, replace(SMALL, colorless=True)))


def test_floaters_break_the_silhouette(house: Asset) -> None:
    ball = trimesh.creation.icosphere(subdivisions=1, radius=0.08)
    more = np.concatenate([house.vertices, ball.vertices + house.vertices.max(axis=0) + 0.2])
    extra = np.zeros(len(ball.faces), np.int32)
    asset = replace(
        house,
        vertices=more.astype(np.float32),
        faces=np.concatenate([house.faces, ball.faces + len(house.vertices)]).astype(np.int32),
        colors=np.concatenate([house.colors, np.full((len(ball.vertices), 4), 200, np.uint8)]),
        face_material=np.concatenate([house.face_material, extra]),
        parts=np.concatenate([house.parts, extra]),
    )
    assert low(asset) == ["silhouette"]


def test_paint_from_the_picture_looks_like_the_picture(house: Asset) -> None:
    bare = dense(house)
    picture = lit(house, "front")
    coloured = painted(replace(bare, colors=None), picture, best_match(bare, picture, "front").camera)
    seen, wanted = lit(coloured, "front"), picture
    both = (seen[..., 3] > 250) & (wanted[..., 3] > 250)
    # Light is in the picture already, so the paint is a little darker.
    assert np.corrcoef(seen[both][:, :3].ravel(), wanted[both][:, :3].ravel())[0, 1] > 0.8
    assert "painted_from_picture" in coloured.notes
