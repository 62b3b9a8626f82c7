"""Images, edits, six views and colour in a real Blender (the bpy module), with a backend of spheres."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.integration.in_blender import blender_session, end_jobs, module, pump_until

import bpy  # isort: skip
from mathutils import Matrix  # isort: skip

pytestmark = pytest.mark.timeout(90)


@pytest.fixture
def settings(preferences: Any) -> Iterator[Any]:
    """The scene's settings as they are at first, in an empty file."""
    for kind in (bpy.data.objects, bpy.data.meshes, bpy.data.images, bpy.data.materials):
        for item in list(kind):
            kind.remove(item)
    bpy.context.scene.cursor.location = (0.0, 0.0, 0.0)
    settings = bpy.context.scene.omni123
    for name in settings.bl_rna.properties.keys():  # noqa: SIM118  (a bpy collection)
        if name not in ("rna_type", "name"):
            settings.property_unset(name)
    yield settings
    end_jobs()


def drawn(panel: type) -> str:
    menu = bpy.context.window_manager.popmenu_begin__internal("test")
    panel.draw(SimpleNamespace(layout=menu.layout), bpy.context)
    return str(menu.layout.introspect())


def cube(name: str = "Mine") -> Any:
    """The active object: a cube of one material, turned, moved and scaled."""
    bpy.ops.mesh.primitive_cube_add(size=2.0)
    obj = bpy.context.view_layer.objects.active
    obj.name = name
    obj.matrix_world = (
        Matrix.Translation((5, 6, 7)) @ Matrix.Rotation(0.7, 4, "Z") @ Matrix.Diagonal((1, 2, 3, 1))
    )
    obj.data.materials.append(bpy.data.materials.new("Oak"))
    bpy.context.view_layer.update()
    return obj


def submit(ask: str) -> Any:
    """As the button does in a window: asks, and comes back at once."""
    return module("making").submit(bpy.context, getattr(module("requests"), ask))


def world_box(obj: Any) -> np.ndarray:
    corners = np.array([obj.matrix_world @ vertex.co for vertex in obj.data.vertices])
    return np.stack([corners.min(axis=0), corners.max(axis=0)])


def test_an_image_becomes_a_coloured_mesh_named_after_it(settings: Any) -> None:
    image = bpy.data.images.new("teapot.png", 1200, 600, alpha=True)
    settings.mode, settings.image, settings.size = "IMAGE", image, 2.0
    assert bpy.ops.omni123.generate_from_image() == {"FINISHED"}
    obj = bpy.context.view_layer.objects.active
    assert (obj.name, obj.material_slots[0].name) == ("Teapot", "Omni123 Coloured")
    assert max(obj.dimensions) == pytest.approx(2.0, rel=1e-3)
    job = list(module("runtime").session().client.jobs.values())[-1]
    assert (job.spec.task, job.spec.inputs, job.spec.color) == ("image_to_shape", ("image",), True)


def test_an_image_is_sent_small_upright_and_with_its_alpha(settings: Any) -> None:
    capture = module("capture")
    image = bpy.data.images.new("big", 1030, 20, alpha=True)
    rows = np.zeros((20, 1030, 4), np.float32)
    rows[10:] = (1.0, 0.5, 0.0, 1.0)  # the upper half: Blender's first row is the lowest
    image.pixels.foreach_set(rows.ravel())
    images = sys.modules[f"{blender_session.MODULE}.protocol.images"]
    pixels = images.decode_pixels(capture.image_file(image))
    assert pixels.shape == (7, 344, 4)
    assert pixels[0, 0].tolist() == [255, 128, 0, 255]
    assert pixels[-1, 0, 3] == 0
    linear = bpy.data.images.new("light", 2, 2, float_buffer=True)
    linear.pixels.foreach_set(np.full(16, 0.5, np.float32))
    assert capture.image_pixels(linear, 512)[0, 0, 0] == pytest.approx(0.7354, abs=1e-3)


def test_an_image_without_pixels_is_refused_with_a_sentence(settings: Any) -> None:
    settings.image = bpy.data.images.new("gone", 1, 1)
    settings.image.source, settings.image.filepath = "FILE", "//no-such-file.png"
    settings.image.reload()
    with pytest.raises(RuntimeError, match=r"The image “gone” has no pixels that can be read\."):
        bpy.ops.omni123.generate_from_image()


def test_an_edit_takes_the_place_of_the_mesh_and_keeps_the_object(settings: Any) -> None:
    obj = cube()
    before, matrix, old = world_box(obj), obj.matrix_world.copy(), obj.data
    settings.instruction, settings.color, settings.mode = "add armrests", False, "EDIT"
    assert "Mine" in drawn(bpy.types.OMNI123_PT_main)
    assert bpy.ops.omni123.edit() == {"FINISHED"}
    assert [o.name for o in bpy.data.objects] == ["Mine"]
    assert obj.data != old
    assert obj.matrix_world == matrix
    assert np.abs(world_box(obj) - before).max() < 1e-4  # this backend gives the source back
    assert [slot.name for slot in obj.material_slots] == ["Oak"]
    record = obj.omni123
    assert (record.prompt, record.model, record.previous) == ("add armrests", "sphere", old)
    assert record.tokens == b""
    job = list(module("runtime").session().client.jobs.values())[-1]
    assert (job.title, job.spec.inputs) == ("Mine: add armrests", ("mesh",))
    bpy.ops.omni123.previous_mesh()
    assert obj.data == old
    bpy.ops.omni123.previous_mesh()
    assert obj.data != old


def test_modifiers_are_part_of_what_is_edited_and_then_switched_off(settings: Any) -> None:
    obj = cube()
    modifier = obj.modifiers.new("Array", "ARRAY")
    modifier.count = 3
    bpy.context.view_layer.update()
    wide = obj.dimensions.x
    settings.instruction = "thicker"
    bpy.ops.omni123.edit()
    bpy.context.view_layer.update()
    assert (modifier.show_viewport, modifier.show_render) == (False, False)
    assert obj.dimensions.x == pytest.approx(wide, rel=1e-4)
    bpy.ops.omni123.previous_mesh()
    assert modifier.show_viewport
    assert len(obj.data.polygons) == 6


def test_a_mirrored_object_is_sent_outward_and_comes_back_so(settings: Any) -> None:
    obj = cube()
    obj.scale.x = -1.0
    settings.instruction = "thicker"
    bpy.ops.omni123.edit()
    normals = np.array([(p.center.normalized()).dot(p.normal) for p in obj.data.polygons])
    assert (normals > 0).all()


def test_an_edit_of_what_has_changed_meanwhile_stands_beside_it(settings: Any) -> None:
    obj = cube()
    settings.instruction = "rounder"
    job, mine = submit("edit"), obj.data
    mine.vertices[0].co.x -= 0.5
    pump_until(lambda: job.has_ended)
    assert obj.data == mine
    beside = bpy.data.objects[job.object_name]
    assert beside.name == "Mine.001"
    assert world_box(beside)[0][0] > world_box(obj)[1][0]
    assert "stands beside it" in module("runtime").session().notice.sentence


def test_an_untouched_object_of_the_model_sends_its_tokens(settings: Any) -> None:
    settings.prompt, settings.color, settings.views_of = "a ball", False, "OBJECT"
    bpy.ops.omni123.generate()
    obj = bpy.context.view_layer.objects.active
    obj.location.x, obj.rotation_euler.z, obj.scale = 4.0, 1.0, (2.0, 2.0, 2.0)
    assert submit("views_of_object").spec.inputs == ("tokens",)
    pump_until(lambda: not module("runtime").session().client.open_jobs())
    obj.scale.x = 1.0
    assert submit("views_of_object").spec.inputs == ("mesh",)
    pump_until(lambda: not module("runtime").session().client.open_jobs())


def test_colours_are_sent_with_the_mesh(settings: Any) -> None:
    obj = cube()
    attribute = obj.data.color_attributes.new("Paint", "FLOAT_COLOR", "CORNER")
    attribute.data.foreach_set("color_srgb", np.tile([1.0, 0.6, 0.0, 1.0], len(attribute.data)))
    obj.data.color_attributes.active_color = attribute
    seen = module("capture").see(obj, bpy.context.view_layer)
    assert seen.arrays.colors.tolist() == [[255, 153, 0, 255]] * 8


def test_a_tilted_object_is_sent_as_it_stands_but_facing_front(settings: Any) -> None:
    obj = cube()
    obj.matrix_world = Matrix.Rotation(0.9, 4, "Z") @ Matrix.Rotation(np.pi / 2, 4, "X")
    bpy.context.view_layer.update()
    frame = module("capture").see(obj, bpy.context.view_layer).frame
    assert np.abs(frame - np.array(Matrix.Rotation(np.pi / 2, 3, "X"))).max() < 1e-6


def test_faces_keep_the_nearest_material(settings: Any) -> None:
    obj = cube()
    obj.data.materials.append(bpy.data.materials.new("Steel"))
    top = max(obj.data.polygons, key=lambda polygon: polygon.center.z)
    top.material_index = 1
    settings.instruction = "rounder"
    bpy.ops.omni123.edit()
    steel = [polygon for polygon in obj.data.polygons if polygon.material_index == 1]
    assert len(steel) == 2
    assert all(polygon.center.z == pytest.approx(1.0) for polygon in steel)


@pytest.mark.parametrize("of", ["OBJECT", "WORDS"])
def test_six_views_become_images_in_their_order(settings: Any, of: str) -> None:
    settings.mode, settings.views_of = "VIEWS", of
    if of == "OBJECT":
        cube("Chair")
    else:
        settings.prompt = "a chair"
    assert bpy.ops.omni123.draw_views() == {"FINISHED"}
    views = ["front", "back", "left", "right", "top", "bottom"]
    assert [image.name for image in module("pictures").latest()] == [f"Chair, {view}" for view in views]
    assert all(image.packed_file for image in module("pictures").latest())
    assert "Bottom" in drawn(bpy.types.OMNI123_PT_pictures)
    assert bpy.data.objects.keys() == ["Chair"]


def test_what_is_missing_is_said(settings: Any) -> None:
    for mode, operator, words in [
        ("IMAGE", bpy.ops.omni123.generate_from_image, "No image is chosen"),
        ("EDIT", bpy.ops.omni123.edit, "No mesh is selected"),
        ("VIEWS", bpy.ops.omni123.draw_views, "No mesh is selected"),
    ]:
        settings.mode = mode
        with pytest.raises(RuntimeError, match=words):
            operator()
        assert drawn(bpy.types.OMNI123_PT_main)
    obj = bpy.data.objects.new("Empty", bpy.data.meshes.new("Empty"))
    bpy.context.scene.collection.objects.link(obj)
    bpy.context.view_layer.objects.active = obj
    obj.select_set(True)
    settings.instruction = "add armrests"
    with pytest.raises(RuntimeError, match="“Empty” has no faces"):
        bpy.ops.omni123.edit()


def test_a_source_is_asked_for_again_with_its_job(settings: Any) -> None:
    cube()
    settings.instruction = "please refuse"
    with pytest.raises(RuntimeError, match="A sphere has no corners"):
        bpy.ops.omni123.edit()
    with pytest.raises(RuntimeError, match="A sphere has no corners"):
        bpy.ops.omni123.retry()
