"""The extension in a real Blender (the bpy module), enabled from the checkout, with a real backend.

Timers never fire without a window, so these tests run the pump; everything else is as in Blender.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.integration.in_blender import ROOT, SPHERE, blender_session, end_jobs, module, pump_until, session

import bpy  # isort: skip

MINI = ROOT / "backend" / "weights" / "mini"

pytestmark = pytest.mark.timeout(90)


@pytest.fixture
def settings(preferences: Any) -> Iterator[Any]:
    """The scene's settings, in an empty scene and with the preferences as they were."""
    for obj in list(bpy.data.objects):
        bpy.data.objects.remove(obj)
    settings = bpy.context.scene.omni123
    settings.prompt = ""
    for name in ("mode", "make", "color", "image", "views_of", "use_box", "box", "use_faces", "smoothing"):
        settings.property_unset(name)
    for image in list(bpy.data.images):
        bpy.data.images.remove(image)
    kept = {
        name: getattr(preferences, name) for name in ("python", "weights", "options", "server", "autostart")
    }
    yield settings
    for name, value in kept.items():
        setattr(preferences, name, value)
    end_jobs()


def drawn(panel: type) -> str:
    """The words and operators a panel shows, from a real layout."""
    menu = bpy.context.window_manager.popmenu_begin__internal("test")
    panel.draw(SimpleNamespace(layout=menu.layout), bpy.context)
    return " ".join(words(menu.layout.introspect()))


def words(items: list[dict[str, Any]]) -> Iterator[str]:
    for item in items:
        yield from (item[name] for name in ("draw_string", "operator") if item.get(name))
        yield from words(item.get("items", []))


def submit(settings: Any, prompt: str) -> Any:
    """As the button does in a window: asks, and comes back at once."""
    settings.prompt = prompt
    return module("making").submit(bpy.context, module("requests").from_words)


def submit_and_wait(settings: Any, prompt: str) -> Any:
    job = submit(settings, prompt)
    pump_until(lambda: job.has_ended)
    assert job.problem is None
    return job


def drawing_of(image: Any, data: bytes = b"") -> Any:
    """A finished picture as it arrives; that of an image which is in the file already."""
    sha = image[module("pictures").FILE] if image else "0" * 64
    wire = sys.modules[f"{blender_session.MODULE}.protocol.messages"]
    view = image[module("pictures").VIEW] or None if image else "left"
    return module("core.jobs").Drawing(wire.Picture(image=sha, view=view), data)


def test_the_pump_is_a_timer_that_survives_a_new_file(preferences: Any) -> None:
    assert bpy.app.timers.is_registered(module("pump")._on_timer)


def test_an_empty_prompt_greys_generate_and_says_why(settings: Any) -> None:
    settings.prompt = "  "
    with pytest.raises(RuntimeError, match=r"The prompt is empty\. Describe the object"):
        bpy.ops.omni123.generate()
    assert "Describe the object" in drawn(bpy.types.OMNI123_PT_main)


def test_without_a_python_one_sentence_says_what_to_do_and_nothing_is_lost(
    settings: Any, preferences: Any
) -> None:
    bpy.ops.omni123.stop_backend()
    preferences.python = str(ROOT / "no-such-python")
    obj = bpy.data.objects.new("Mine", None)
    bpy.context.scene.collection.objects.link(obj)
    obj.select_set(True)
    settings.prompt = "a round table"
    with pytest.raises(RuntimeError, match=r"There is no Python at .*no-such-python\."):
        bpy.ops.omni123.generate()
    assert (settings.prompt, obj.select_get()) == ("a round table", True)
    assert "Open Preferences" in drawn(bpy.types.OMNI123_PT_main)


def test_a_backend_that_may_not_start_by_itself_is_offered_to_be_started(
    settings: Any, preferences: Any
) -> None:
    bpy.ops.omni123.stop_backend()
    preferences.autostart = False
    settings.prompt = "a round table"
    with pytest.raises(RuntimeError, match=r"The backend is not running\."):
        bpy.ops.omni123.generate()
    assert "Start Backend" in drawn(bpy.types.OMNI123_PT_main)


def test_a_server_is_not_reached_while_blender_stays_offline(settings: Any, preferences: Any) -> None:
    assert not bpy.app.online_access
    preferences.server = "omni123://10.1.2.3:7123/#" + "k" * 40
    settings.prompt = "a round table"
    with pytest.raises(RuntimeError, match="Blender is set to stay offline"):
        bpy.ops.omni123.generate()
    assert session().connection.endpoint is None or session().connection.endpoint.is_loopback


@pytest.fixture
def server(preferences: Any, tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Starts a backend as its owner would; the line it prints."""
    processes = []

    def serve(*options: str) -> str:
        command = [sys.executable, "-m", "backend.cli", "serve", "--weights", preferences.weights]
        command += ["--state-dir", str(tmp_path / "state"), *SPHERE.split(), *options]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        processes.append(process)
        return process.stdout.readline()

    yield serve
    bpy.ops.omni123.stop_backend()
    for process in processes:
        process.terminate()
        process.wait()
        process.stdout.close()


def test_a_server_is_used_by_pasting_its_line(
    settings: Any, preferences: Any, server: Callable[..., str], tmp_path: Path
) -> None:
    key_file = tmp_path / "blender.pub"
    key_file.write_text(f"{session().keys.public} anna\n")
    preferences.server = server("--allow-key-file", str(key_file))
    settings.prompt = "a ball"
    assert bpy.ops.omni123.generate() == {"FINISHED"}
    assert session().backend.pid is None
    assert session().connection.welcome.user == "anna"


def test_a_server_that_does_not_know_the_key_is_explained(
    settings: Any, preferences: Any, server: Callable[..., str]
) -> None:
    preferences.server = server()
    job = submit(settings, "a ball")
    pump_until(lambda: session().connection.problem is not None)
    shown = drawn(bpy.types.OMNI123_PT_main)
    assert "This server does not know your key yet." in shown
    assert "Copy My Key" in shown
    assert job.is_open  # it goes on once the key is added


def test_unreadable_weights_are_named_and_nothing_is_lost(
    settings: Any, preferences: Any, tmp_path: Path
) -> None:
    (tmp_path / "state").write_text("corrupt")
    bpy.ops.omni123.stop_backend()
    preferences.weights = str(tmp_path)
    settings.prompt = "a round table"
    with pytest.raises(RuntimeError, match="cut short"):
        bpy.ops.omni123.generate()
    assert settings.prompt == "a round table"
    assert "cut short" in drawn(bpy.types.OMNI123_PT_main)
    bpy.ops.omni123.stop_backend()


def test_a_prompt_becomes_an_object_at_the_cursor(settings: Any) -> None:
    threads = threading.active_count()
    bpy.context.scene.cursor.location = (1.0, 2.0, 3.0)
    settings.prompt, settings.size = "a large round table", 2.0
    settings.lock_seed, settings.seed = True, 42
    assert bpy.ops.omni123.generate() == {"FINISHED"}
    obj = bpy.context.view_layer.objects.active
    assert obj.name == "Large round table"
    assert obj.users_collection[0].name == "Omni123"
    assert obj.select_get()
    assert tuple(obj.location) == (1.0, 2.0, 3.0)
    assert tuple(obj.dimensions) == pytest.approx((2.0, 2.0, 2.0), rel=1e-3)
    assert min(corner[2] for corner in obj.bound_box) == pytest.approx(0.0, abs=1e-5)
    assert obj.material_slots[0].name == "Omni123 Coloured"
    assert tuple(obj.data.color_attributes["Color"].data[0].color_srgb) == pytest.approx(
        (200 / 255, 30 / 255, 20 / 255, 1.0), abs=0.01
    )
    assert all(polygon.use_smooth for polygon in obj.data.polygons[:10])
    assert threading.active_count() == threads


def test_an_object_records_where_it_came_from(settings: Any, tmp_path: Path) -> None:
    settings.prompt, settings.lock_seed, settings.seed = "a ball", True, 42
    bpy.ops.omni123.generate()
    name = bpy.context.view_layer.objects.active.name
    file = tmp_path / "ball.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(file), copy=True, compress=False)
    with bpy.data.libraries.load(str(file)) as (_, wanted):
        wanted.objects = [name]
    record = wanted.objects[0].omni123
    assert (record.prompt, record.seed, record.model) == ("a ball", 42, "sphere")
    assert len(record.job) == 32
    tokens = sys.modules[f"{blender_session.MODULE}.protocol.arrays"].decode_tokens(record.tokens)
    assert tokens.tolist() == [42] * 16
    assert session().keys.secret.encode() not in file.read_bytes()


def test_progress_is_shown_and_cancel_half_way_is_answered(settings: Any) -> None:
    job = submit(settings, "a slow ball")
    pump_until(lambda: job.fraction > 0.05)
    text = drawn(bpy.types.OMNI123_PT_main)
    assert "a slow ball" in text
    assert "bpy.ops.omni123.cancel" in text
    assert job.words.startswith("Shape tokens")
    bpy.ops.omni123.cancel()
    pump_until(lambda: job.has_ended, 5.0)
    assert job.state == "cancelled"
    assert not bpy.data.objects
    assert "a slow ball" in drawn(bpy.types.OMNI123_PT_recent)


def test_a_backend_killed_half_way_comes_again_with_the_request(settings: Any) -> None:
    job = submit(settings, "a slow ball")
    pump_until(lambda: job.fraction > 0.05)
    os.kill(session().backend.pid, signal.SIGTERM if os.name == "nt" else signal.SIGKILL)
    pump_until(lambda: session().backend.restarts == 1)
    assert session().problem(time.monotonic()).sentence.startswith("The backend stopped unexpectedly")
    assert "Restarting (1 of 3)" in drawn(bpy.types.OMNI123_PT_main)
    assert job.is_open
    pump_until(lambda: job.submits == 2 and job.fraction > 0.05)
    assert settings.prompt == "a slow ball"


def test_a_request_that_fails_can_be_tried_again(settings: Any) -> None:
    settings.prompt = "please refuse"
    with pytest.raises(RuntimeError, match=r"A sphere has no corners\. Ask for something round\."):
        bpy.ops.omni123.generate()
    assert "A sphere has no corners." in drawn(bpy.types.OMNI123_PT_main)
    before = [job.id for job in session().client.jobs.values()]
    with pytest.raises(RuntimeError, match="A sphere has no corners"):
        bpy.ops.omni123.retry()
    after = [job.id for job in session().client.jobs.values()]
    assert after[:-1] == before[:-1]
    assert after[-1] != before[-1]


def test_a_result_waits_until_edit_mode_is_left(settings: Any) -> None:
    mesh = bpy.data.meshes.new("Mine")
    mine = bpy.data.objects.new("Mine", mesh)
    bpy.context.scene.collection.objects.link(mine)
    bpy.context.view_layer.objects.active = mine
    bpy.ops.object.mode_set(mode="EDIT")
    job = submit(settings, "a ball")
    pump_until(lambda: job.state == "arrived")
    module("pump").tick()
    assert "leave Edit Mode" in drawn(bpy.types.OMNI123_PT_main)
    bpy.ops.object.mode_set(mode="OBJECT")
    pump_until(lambda: job.state == "placed")
    assert bpy.context.view_layer.objects.active.name == "Ball"


def test_an_error_in_a_tick_does_not_end_the_timer(preferences: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(now: float, time_left: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(session(), "step", fail)
    assert module("pump")._on_timer() == 1.0
    monkeypatch.undo()
    assert module("pump")._on_timer() > 0


def test_a_careless_mesh_is_mended_or_refused(preferences: Any) -> None:
    meshes = module("meshes")
    corners = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], np.float32)
    faces = np.array([[0, 1, 2], [0, 1, 2], [0, 0, 3], [1, 2, 3]], np.int32)
    colors = np.full((4, 4), 200, np.uint8)
    mesh = meshes.build_mesh("m", meshes.MeshArrays(vertices=corners, faces=faces, colors=colors))
    assert len(mesh.polygons) == 2
    assert mesh.color_attributes[0].name == "Color"
    with pytest.raises(Exception, match="The mesh cannot be used"):
        meshes.build_mesh("m", meshes.MeshArrays(vertices=corners, faces=faces[2:3]))


def test_settings_reach_the_request(settings: Any) -> None:
    settings.use_guidance, settings.guidance, settings.detail = True, 4.5, "DRAFT"
    settings.lock_seed = False
    job = submit(settings, "a ball")
    assert (job.spec.guidance, job.spec.cells, job.spec.seed) == (4.5, 64, settings.seed)
    settings.use_guidance, settings.detail = False, "AUTO"
    again = submit(settings, "a ball")
    assert (again.spec.guidance, again.spec.cells) == (None, None)
    assert again.spec.seed != job.spec.seed
    pump_until(lambda: job.has_ended and again.has_ended)


def test_faces_and_smoothing_reach_the_request(settings: Any) -> None:
    job = submit(settings, "a ball")
    assert (job.spec.faces, job.spec.smoothing, job.spec.box) == (None, None, None)
    settings.use_faces, settings.faces, settings.smoothing = True, 800, 0.5
    again = submit(settings, "a ball")
    assert (again.spec.faces, again.spec.smoothing) == (800, 0.5)
    pump_until(lambda: job.has_ended and again.has_ended)


def test_a_box_is_taken_from_the_selection_and_filled(settings: Any) -> None:
    submit_and_wait(settings, "a ball")
    ball = bpy.context.view_layer.objects.active
    ball.scale = (1.0, 2.0, 4.0)
    bpy.context.view_layer.update()
    bpy.ops.omni123.box_from_selection()
    assert tuple(settings.box) == pytest.approx(tuple(ball.dimensions), rel=1e-3)
    assert "From Selection" in drawn(bpy.types.OMNI123_PT_advanced)
    job = submit_and_wait(settings, "a pillar")
    assert job.spec.box == pytest.approx(tuple(settings.box))
    assert tuple(bpy.data.objects[job.object_name].dimensions) == pytest.approx(tuple(settings.box), rel=1e-2)


def test_what_the_model_cannot_do_is_neither_shown_nor_sent(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.make, settings.use_box = "text_to_image", True
    submit_and_wait(settings, "a ball")
    capabilities = session().connection.welcome.model.capabilities
    monkeypatch.setitem(capabilities, "tasks", ["text_to_shape"])
    monkeypatch.setitem(capabilities, "box", False)
    assert "From Selection" not in drawn(bpy.types.OMNI123_PT_advanced)
    text = drawn(bpy.types.OMNI123_PT_main)
    assert "sphere does not do: Picture, Shape, Picture, Image, Edit, Views" in text
    settings.prompt = "a ball"
    with pytest.raises(RuntimeError, match=r"The model sphere does not do this: Picture\."):
        bpy.ops.omni123.generate()
    with pytest.raises(Exception, match=r"sphere cannot do text_to_image\. It does: text_to_shape"):
        submit(settings, "a ball")
    assert settings.prompt == "a ball"
    settings.make = "text_to_shape"
    assert submit_and_wait(settings, "a ball").spec.box is None


def test_a_picture_comes_before_its_shape_and_stays_in_the_file(settings: Any, tmp_path: Path) -> None:
    settings.make = "text_to_image_shape"
    job = submit(settings, "a slow ball")
    pump_until(lambda: len(bpy.data.images) == 1)
    bpy.ops.omni123.cancel()
    pump_until(lambda: job.has_ended, 5.0)
    image = bpy.data.images[0]
    assert (image.name, tuple(image.size)) == ("Slow ball", (300, 300))
    assert image.packed_file is not None
    assert image.pixels[-4] == pytest.approx(0.0)  # dark at the top, as it was drawn
    file = tmp_path / "ball.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(file), copy=True, compress=False)
    with bpy.data.libraries.load(str(file)) as (there, _):
        assert list(there.images) == ["Slow ball"]
    module("pictures").keep(job, drawing_of(image))
    assert len(bpy.data.images) == 1


def test_a_script_gets_the_picture_and_the_shape(settings: Any) -> None:
    settings.make, settings.prompt = "text_to_image_shape", "a ball"
    assert bpy.ops.omni123.generate() == {"FINISHED"}
    assert (bpy.data.images.keys(), bpy.data.objects.keys()) == (["Ball"], ["Ball"])


def test_pictures_alone_are_a_result(settings: Any) -> None:
    settings.make = "text_to_image"
    job = submit_and_wait(settings, "a ball")
    assert (job.state, job.object_name) == ("placed", "Ball")
    assert list(bpy.data.objects) == []
    assert list(bpy.data.images.keys()) == ["Ball"]
    assert "a ball" in drawn(bpy.types.OMNI123_PT_recent)


def test_a_picture_that_sharpens_is_shown_and_forgotten(settings: Any) -> None:
    pictures, job = module("pictures"), submit(settings, "a slow ball")
    for shade in (10, 200):
        job.sharpening = np.full((5, 7, 4), shade, np.uint8)
        pictures.update_thumbnails([job])
        assert tuple(pictures._thumbnails[job.id].image_size) == (7, 5)
    assert "a slow ball" in drawn(bpy.types.OMNI123_PT_main)
    pictures.update_thumbnails([])
    assert job.id not in pictures._thumbnails  # icons have no numbers without a window: see gui_steps.py
    bpy.ops.omni123.cancel()
    pump_until(lambda: job.has_ended, 5.0)


def test_raw_pixels_become_an_image_too(settings: Any) -> None:
    extension = blender_session.MODULE
    images = sys.modules[f"{extension}.protocol.images"]
    pixels = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)
    job = submit_and_wait(settings, "a ball")
    drawing = drawing_of(None, images.encode_pixels(pixels))
    image = bpy.data.images[module("pictures").keep(job, drawing)]
    assert image.name == "Ball, left"
    assert image.packed_file is not None
    shown = np.asarray(image.pixels).reshape(2, 3, 4)[::-1]
    assert np.abs(shown * 255 - pixels).max() < 1


def test_every_panel_draws(settings: Any) -> None:
    for panel in module("panels").CLASSES:
        assert drawn(panel)
    assert "Guidance" in drawn(bpy.types.OMNI123_PT_advanced)


@pytest.mark.skipif(not (MINI / "config.json").is_file(), reason="the default weights are not there")
def test_the_default_weights_make_a_shape(settings: Any, preferences: Any) -> None:
    bpy.ops.omni123.stop_backend()
    preferences.weights, preferences.options = "", ""
    settings.prompt, settings.lock_seed, settings.seed = "a round wooden table", True, 0
    assert bpy.ops.omni123.generate() == {"FINISHED"}
    obj = bpy.context.view_layer.objects.active
    assert obj.name.startswith("Round wooden table")
    assert len(obj.data.polygons) > 100
    bpy.ops.omni123.stop_backend()
