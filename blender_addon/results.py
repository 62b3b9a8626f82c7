"""Arrived shapes into the scene: one object, one undo step, with where it came from recorded on it."""

from __future__ import annotations

from dataclasses import replace

import bpy
import numpy as np

from ..protocol.arrays import MeshArrays
from . import edits, runtime
from .capture import fingerprint, read_mesh
from .core.jobs import Job
from .core.naming import object_name
from .core.placement import outward, place, transformed
from .core.problems import ProblemError, from_code, local_problem
from .meshes import build_mesh, material, record_origin

COLLECTION = "Omni123"


def must_wait(job: Job) -> bool:
    """A result comes in Object Mode only, so that nobody's editing is disturbed."""
    active = _view_layer(_scene(job)).objects.active
    return active is not None and active.mode != "OBJECT"


def place_result(job: Job) -> str:
    """Makes the object, or the edited object's mesh, and its undo step.

    The object's name, empty where the job made pictures alone. Raises ProblemError when nothing can be made.
    """
    if job.mesh is None:
        if not job.pictures:
            raise ProblemError(from_code("empty_shape"))
        return ""
    scene = _scene(job)
    if job.target.source is not None:
        obj = edits.unchanged(job.target.source, _view_layer(scene))
        if obj is not None:
            edits.take(obj, job, job.target.source)
            _push_undo(job.title)
            return obj.name
    obj = _new_object(job, job.mesh)
    _collection(scene).objects.link(obj)
    _select_only(obj, _view_layer(scene))
    _push_undo(obj.name)
    if job.target.source is not None:
        runtime.session().refuse(local_problem("edit_beside"))
    return obj.name


def _push_undo(what: str) -> None:
    if bpy.ops.ed.undo_push.poll():
        bpy.ops.ed.undo_push(message=f"Omni123: {what}")


def _new_object(job: Job, arrays: MeshArrays) -> bpy.types.Object:
    """Standing where it was asked for; what was meant for an object that is another now, beside that."""
    name, source, location = object_name(job.title), job.target.source, np.array(job.target.location)
    center, scale = (0.0, 0.0, 0.0), 1.0
    if source is None:
        placed = place(arrays.vertices, job.target.size)
        vertices, faces, center, scale = placed.vertices, arrays.faces, placed.center, placed.scale
    else:
        faces = outward(source.world, arrays.faces)
        vertices = (transformed(source.world, arrays.vertices) - location).astype(np.float32)
        location[0] += 1.2 * source.sides[0]
    coloured = arrays.colors is not None
    mesh = build_mesh(name, replace(arrays, vertices=vertices, faces=faces))
    mesh.materials.append(material(coloured=coloured))
    obj = bpy.data.objects.new(name, mesh)
    obj.location = location
    record_origin(obj, job)
    record = obj.omni123
    record.center, record.scale = center, scale
    if source is None:
        record.tokens, record.fingerprint = job.tokens, fingerprint(read_mesh(mesh))
    return obj


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
