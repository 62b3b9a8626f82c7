"""An edited shape takes the place of an object's mesh. The object stays, and so does the mesh it had."""

from __future__ import annotations

import bpy
import numpy as np
from mathutils.bvhtree import BVHTree

from ..protocol.arrays import MeshArrays
from .capture import see
from .core.jobs import Job
from .core.placement import Source, outward, transformed
from .core.problems import ProblemError
from .meshes import CLAY, COLOURED, build_mesh, material, record_origin


def unchanged(source: Source, view_layer: bpy.types.ViewLayer) -> bpy.types.Object | None:
    """The object that was edited, if it is there and looks as it did when that was asked for."""
    named = [obj for obj in bpy.data.objects if obj.name == source.object]
    renamed = [obj for obj in bpy.data.objects if obj.session_uid == source.uid and obj not in named]
    for obj in named + renamed:
        if obj.type != "MESH" or obj.library is not None or obj.name not in view_layer.objects:
            continue
        try:
            if see(obj, view_layer).fingerprint == source.fingerprint:
                return obj
        except ProblemError:  # nothing of it is left
            continue
    return None


def take(obj: bpy.types.Object, job: Job, source: Source) -> None:
    """The job's mesh becomes the object's. Raises ProblemError, and changes nothing, where it is no mesh."""
    assert job.mesh is not None, "an edit that arrived has a mesh"
    arrays = MeshArrays(
        vertices=transformed(source.local, job.mesh.vertices),
        faces=outward(source.local, job.mesh.faces),
        colors=job.mesh.colors,
    )
    old = obj.data
    mesh = build_mesh(old.name, arrays)
    _dress(mesh, old, coloured=arrays.colors is not None)
    record = obj.omni123
    if record.previous is not None:
        record.previous.use_fake_user = True  # older ones stay in the file
    record.previous = old
    obj.data = mesh
    _switch_modifiers_off(obj)
    record_origin(obj, job)
    record.tokens, record.fingerprint = b"", ""  # an edit has none


def _dress(mesh: bpy.types.Mesh, old: bpy.types.Mesh, *, coloured: bool) -> None:
    """The materials it had, each face's that of the nearest old face; our own where it had none else."""
    own = {None, CLAY, COLOURED}
    if all((found.name if found else None) in own for found in old.materials):
        if coloured or len(old.materials):
            mesh.materials.append(material(coloured=coloured))
        return
    for found in old.materials:
        mesh.materials.append(found)
    if len(old.materials) > 1:
        mesh.polygons.foreach_set("material_index", _nearest_materials(mesh, old))


def _nearest_materials(mesh: bpy.types.Mesh, old: bpy.types.Mesh) -> list[int]:
    tree = BVHTree.FromPolygons(
        [vertex.co for vertex in old.vertices], [tuple(polygon.vertices) for polygon in old.polygons]
    )
    indices = np.empty(len(old.polygons), np.int32)
    old.polygons.foreach_get("material_index", indices)
    found = (tree.find_nearest(polygon.center)[2] for polygon in mesh.polygons)
    return [0 if index is None else int(indices[index]) for index in found]


def _switch_modifiers_off(obj: bpy.types.Object) -> None:
    """What they did is part of the mesh that was edited; their settings stay."""
    names = [modifier.name for modifier in obj.modifiers if modifier.show_viewport]
    for name in names:
        _show(obj.modifiers[name], shown=False)
    obj.omni123.modifiers = "\n".join(names)


def swap_previous(obj: bpy.types.Object) -> None:
    """The mesh before the last edit and the one after it change places; modifiers as they were with each."""
    record = obj.omni123
    obj.data, record.previous = record.previous, obj.data
    names = [name for name in record.modifiers.split("\n") if name in obj.modifiers]
    shown = not any(obj.modifiers[name].show_viewport for name in names)
    for name in names:
        _show(obj.modifiers[name], shown=shown)


def _show(modifier: bpy.types.Modifier, *, shown: bool) -> None:
    modifier.show_viewport = modifier.show_render = shown
