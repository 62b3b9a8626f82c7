"""The command line: on the bundled weights, and on a pipeline of spheres that does every kind of task."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trimesh
from click.testing import Result
from PIL import Image
from typer.testing import CliRunner

from backend.cli import app
from backend.files import read_mesh, write_mesh
from backend.pipeline import Pipeline
from backend.sequence import VIEWS
from tests.backend.server.sphere_pipeline import SpherePipeline, sphere


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def spheres(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder, with a mesh and a picture in it, where the model is a sphere."""
    monkeypatch.setattr(Pipeline, "load", lambda folder, *_: SpherePipeline(tmp_path))
    write_mesh(tmp_path / "ball.ply", sphere(4))
    Image.new("RGB", (8, 6), "red").save(tmp_path / "ball.png")
    return tmp_path


def test_generate_writes_a_mesh_file(tmp_path: Path) -> None:
    out = tmp_path / "stool.glb"
    done = run("generate", "a low stool", "--out", out, "--cells", "32")
    assert done.exit_code == 0, done.output
    assert len(trimesh.load(out, force="mesh").faces) > 100


def test_a_bad_request_is_one_sentence_and_a_failing_exit_code(tmp_path: Path) -> None:
    done = run("generate", "", "--out", tmp_path / "x.glb")
    assert done.exit_code == 1
    assert "The prompt is empty." in done.output
    assert "Traceback" not in done.output


@pytest.mark.parametrize("name", ["chair.docx", "nowhere/chair.glb"])
def test_a_file_that_cannot_be_written_is_refused_before_the_work(tmp_path: Path, name: str) -> None:
    done = run("generate", "a chair", "--out", tmp_path / name)
    assert done.exit_code == 1
    assert "cannot be written: name a .glb" in done.output
    assert "shape tokens" not in done.output


def test_what_the_model_cannot_do_is_said_before_the_work(tmp_path: Path) -> None:
    done = run("generate", "a box", "--task", "text_to_image", "--out", tmp_path / "x.png")
    if done.exit_code:  # until the bundled model draws
        assert "cannot do text_to_image. It does: text_to_shape" in done.output


def test_pictures_lie_beside_the_mesh(spheres: Path) -> None:
    done = run("generate", "a ball", "--task", "text_to_image_shape", "--out", spheres / "new.glb")
    assert done.exit_code == 0, done.output
    with Image.open(spheres / "new-image.png") as image:
        assert image.size == (300, 300)
    assert len(read_mesh(spheres / "new.glb").faces) == 1024


@pytest.mark.parametrize(("out", "picture"), [("one.png", "one.png"), ("some", "some/image.png")])
def test_a_picture_goes_where_it_is_told(spheres: Path, out: str, picture: str) -> None:
    done = run("generate", "a ball", "--task", "text_to_image", "--out", spheres / out)
    assert done.exit_code == 0, done.output
    assert (spheres / picture).is_file()
    assert not list(spheres.rglob("*.glb"))


def test_an_edited_mesh_stays_where_it_is(spheres: Path) -> None:
    done = run("edit", spheres / "ball.ply", "rounder", "--out", spheres / "edited.obj")
    assert done.exit_code == 0, done.output
    source, edited = read_mesh(spheres / "ball.ply"), read_mesh(spheres / "edited.obj")
    np.testing.assert_allclose(edited.vertices.max(axis=0), source.vertices.max(axis=0), atol=1e-6)


def test_a_material_of_one_colour_colours_every_vertex(tmp_path: Path) -> None:
    """As Blender writes them; such files could not be edited."""
    ball = trimesh.creation.icosphere(subdivisions=1)
    red = trimesh.visual.material.PBRMaterial(baseColorFactor=(255, 0, 0, 255))
    ball.visual = trimesh.visual.TextureVisuals(material=red)
    ball.export(tmp_path / "ball.glb")
    colors = read_mesh(tmp_path / "ball.glb").colors
    assert colors is not None
    assert np.array_equal(colors, np.tile([255, 0, 0, 255], (len(ball.vertices), 1)))


def test_a_box_and_other_settings_reach_the_model(spheres: Path) -> None:
    done = run("generate", "a ball", "--box", 1, 2, 4, "--out", spheres / "long.ply")
    assert done.exit_code == 0, done.output
    sides = np.ptp(read_mesh(spheres / "long.ply").vertices, axis=0)
    np.testing.assert_allclose(sides / sides.max(), [0.25, 0.5, 1.0], atol=1e-3)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["generate", "a", "--task", "text_to_view", "--view", "top"], "sphere cannot do text_to_view"),
        (["views", "ball.png"], "is no .glb, .obj, .ply, .stl file"),
        (["edit", "ball.ply", ""], "The prompt is empty."),
        (["generate", "a", "--task", "fly"], "does not know the task 'fly'"),
        (["generate", "--task", "image_to_shape", "--image", "ball.ply"], "cannot be read as a picture"),
        (
            ["generate", "a", "--task", "text_to_shape", "--image", "ball.png"],
            "text_to_shape takes 0 images, not 1",
        ),
        (["generate", "a", "--task", "text_to_view", "--view", "above"], "no view 'above'"),
        (["generate", "a", "--faces", "1"], "faces must be from 4"),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(
    spheres: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], sentence: str
) -> None:
    monkeypatch.chdir(spheres)
    done = run(*arguments)
    assert done.exit_code == 1
    assert sentence in done.output
    assert "Traceback" not in done.output


@pytest.mark.parametrize("name", ["a.glb", "a.obj", "a.ply", "a.stl"])
def test_a_mesh_survives_a_file_in_blenders_frame(tmp_path: Path, name: str) -> None:
    mesh = sphere(3)
    mesh.vertices[:] *= (1, 2, 3)
    write_mesh(tmp_path / name, mesh)
    back = read_mesh(tmp_path / name)
    np.testing.assert_allclose(np.ptp(back.vertices, axis=0), np.ptp(mesh.vertices, axis=0), rtol=1e-4)
    loaded = trimesh.load(tmp_path / name, force="mesh")
    assert np.argmax(loaded.extents) == (1 if name in ("a.glb", "a.obj") else 2)  # up is the longest side


def test_doctor_reports_versions_and_a_test_generation() -> None:
    done = run("doctor")
    assert done.exit_code == 0, done.output
    assert "CURVE True" in done.output
    assert "a round table:" in done.output


def test_a_picture_alone_becomes_a_shape(spheres: Path) -> None:
    done = run("generate", "--image", spheres / "ball.png", "--out", spheres / "new.glb")
    assert done.exit_code == 0, done.output
    assert (spheres / "new.glb").is_file()


def test_colours_reach_the_file_and_come_back(spheres: Path) -> None:
    done = run("generate", "a ball", "--color", "--out", spheres / "red.glb")
    assert done.exit_code == 0, done.output
    colors = read_mesh(spheres / "red.glb").colors
    assert colors is not None
    assert (colors[:, 0] > colors[:, 1]).all()
    assert read_mesh(spheres / "ball.ply").colors is None


@pytest.mark.parametrize("what", [("ball.ply",), ("--prompt", "a ball")])
def test_views_are_drawn_of_a_mesh_or_of_words(
    spheres: Path, monkeypatch: pytest.MonkeyPatch, what: tuple[str, ...]
) -> None:
    monkeypatch.chdir(spheres)
    done = run("views", *what, "--out", "views")
    assert done.exit_code == 0, done.output
    assert {path.stem for path in (spheres / "views").glob("*.png")} == set(VIEWS)
