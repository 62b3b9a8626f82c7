"""Arrived shapes into the scene: one object, one undo step, with where it came from recorded on it."""

from __future__ import annotations

import math

import bpy
import numpy as np

from ..protocol.arrays import MeshArrays
from .core.jobs import Job
from .core.naming import object_name
from .core.placement import place
from .core.problems import ProblemError, from_code

COLLECTION = "Omni123"
CLAY = "Omni123 Clay"
COLOURED = "Omni123 Coloured"
COLOUR_ATTRIBUTE = "Color"
CLAY_COLOUR = (0.58, 0.51, 0.44, 1.0)  # linear
VIEWPORT_COLOUR = (0.74, 0.68, 0.61, 1.0)
SHARP_ANGLE = math.radians(60.0)  # surface extraction cuts corners at 45 degrees: less would show each cut


def must_wait(job: Job) -> bool:
    """A result comes in Object Mode only, so that nobody's editing is disturbed."""
    active = _view_layer(_scene(job)).objects.active
    return active is not None and active.mode != "OBJECT"


def place_result(job: Job) -> str:
    """Makes the object and its undo step; the object's name, empty where the job made pictures alone.

    Raises ProblemError when nothing can be made.
    """
    if job.mesh is None:
        if not job.pictures:
            raise ProblemError(from_code("empty_shape"))
        return ""
    assert job.done is not None, "an arrived job has its done event"
    name = object_name(job.spec.prompt)
    placed = place(job.mesh.vertices, job.target.size)
    mesh = build_mesh(
        name, MeshArrays(vertices=placed.vertices, faces=job.mesh.faces, colors=job.mesh.colors)
    )
    obj = bpy.data.objects.new(name, mesh)
    obj.location = job.target.location
    record = obj.omni123
    record.prompt, record.seed, record.job = job.spec.prompt, min(job.done.seed, 2**31 - 1), job.id
    record.model, record.tokens = job.done.model[:200], job.tokens
    record.center, record.scale = placed.center, placed.scale
    scene = _scene(job)
    _collection(scene).objects.link(obj)
    _select_only(obj, _view_layer(scene))
    if bpy.ops.ed.undo_push.poll():
        bpy.ops.ed.undo_push(message=f"Omni123: {name}")
    return obj.name


def build_mesh(name: str, arrays: MeshArrays) -> bpy.types.Mesh:
    """A smooth mesh with sharp edges kept. arrays are checked by `decode_mesh`. Raises ProblemError."""
    faces = arrays.faces
    proper = (faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 2] != faces[:, 0])
    faces = np.ascontiguousarray(faces[proper])
    if not len(faces):
        raise ProblemError(from_code("bad_mesh"))
    mesh = bpy.data.meshes.new(name)
    mesh.vertices.add(len(arrays.vertices))
    mesh.vertices.foreach_set("co", np.ascontiguousarray(arrays.vertices).ravel())
    mesh.loops.add(faces.size)
    mesh.loops.foreach_set("vertex_index", faces.ravel())
    mesh.polygons.add(len(faces))
    mesh.polygons.foreach_set("loop_start", np.arange(0, faces.size, 3, dtype=np.int32))
    if arrays.colors is not None:
        attribute = mesh.color_attributes.new(COLOUR_ATTRIBUTE, "BYTE_COLOR", "POINT")
        attribute.data.foreach_set("color_srgb", (arrays.colors / np.float32(255.0)).ravel())
    mesh.update(calc_edges=True)
    mesh.validate()  # removes what a careless or hostile backend may send: doubled faces
    mesh.shade_smooth()
    mesh.set_sharp_from_angle(angle=SHARP_ANGLE)
    mesh.materials.append(_material(coloured=arrays.colors is not None))
    return mesh


def _material(*, coloured: bool) -> bpy.types.Material:
    """One shared neutral material, and one that shows vertex colours."""
    name = COLOURED if coloured else CLAY
    found = bpy.data.materials.get(name)
    if found is not None:
        return found
    material = bpy.data.materials.new(name)
    if material.node_tree is None:  # before Blender 5.0; later ones always have nodes
        material.use_nodes = True
    shader = next(node for node in material.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
    shader.inputs["Base Color"].default_value = CLAY_COLOUR
    shader.inputs["Roughness"].default_value = 0.65
    material.diffuse_color = VIEWPORT_COLOUR
    if coloured:
        colour = material.node_tree.nodes.new("ShaderNodeVertexColor")
        colour.layer_name = COLOUR_ATTRIBUTE
        colour.location = (-250, 200)
        material.node_tree.links.new(colour.outputs["Color"], shader.inputs["Base Color"])
    return material


def _scene(job: Job) -> bpy.types.Scene:
    """The scene it was asked for in; the current one when that is gone."""
    return bpy.data.scenes.get(job.target.scene) or bpy.context.scene


def _view_layer(scene: bpy.types.Scene) -> bpy.types.ViewLayer:
    """The one a window shows, so that what is selected is what is seen."""
    for window in bpy.context.window_manager.windows:
        if window.scene == scene:
            return window.view_layer
    return scene.view_layers[0]


def _collection(scene: bpy.types.Scene) -> bpy.types.Collection:
    for child in scene.collection.children:
        if child.name.partition(".")[0] == COLLECTION:
            return child
    collection = bpy.data.collections.new(COLLECTION)
    scene.collection.children.link(collection)
    return collection


def _select_only(obj: bpy.types.Object, view_layer: bpy.types.ViewLayer) -> None:
    view_layer.update()
    if view_layer.objects.get(obj.name) is None:  # the collection is excluded from this view layer
        return
    for other in list(view_layer.objects.selected):
        other.select_set(False, view_layer=view_layer)
    obj.select_set(True, view_layer=view_layer)
    view_layer.objects.active = obj
