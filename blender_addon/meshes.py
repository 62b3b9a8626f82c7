"""Arrays from the backend as meshes of the file, their materials, and the record of where they came from."""

from __future__ import annotations

import math

import bpy
import numpy as np

from ..protocol.arrays import MeshArrays
from .core.jobs import Job
from .core.problems import ProblemError, from_code

CLAY = "Omni123 Clay"
COLOURED = "Omni123 Coloured"
COLOUR_ATTRIBUTE = "Color"
CLAY_COLOUR = (0.58, 0.51, 0.44, 1.0)  # linear
VIEWPORT_COLOUR = (0.74, 0.68, 0.61, 1.0)
SHARP_ANGLE = math.radians(60.0)  # surface extraction cuts corners at 45 degrees: less would show each cut


def record_origin(obj: bpy.types.Object, job: Job) -> None:
    assert job.done is not None, "an arrived job has its done event"
    record = obj.omni123
    record.prompt, record.seed, record.job = job.spec.prompt, min(job.done.seed, 2**31 - 1), job.id
    record.model = job.done.model[:200]


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
    return mesh


def material(*, coloured: bool) -> bpy.types.Material:
    """One shared neutral material, and one that shows the vertices' colours."""
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
