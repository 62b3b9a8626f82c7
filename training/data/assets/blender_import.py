"""Runs INSIDE Blender, in the loop of `training/data/blender_jobs.py`: files in, plain arrays out.

A job is {"path", "output", "max_faces", "texture_pixels"}; `output` (.npz) is written. Needs bpy and numpy,
nothing of ours.
"""

from __future__ import annotations

import os
from typing import Any

import bpy
import numpy as np

KINDS = {"MESH", "CURVE", "SURFACE", "META", "FONT"}


Arrays = np.ndarray[Any, Any]


class RefusedError(Exception):
    """(reason, sentence)"""


def explain(error: Exception, job: dict[str, Any]) -> tuple[str, str]:
    """Reason and sentence of a failure; importers raise whatever they stumble over."""
    if isinstance(error, RefusedError):
        return error.args[0], error.args[1]
    if isinstance(error, MemoryError):
        return "too_much_memory", "Blender ran out of memory on this file."
    said = " ".join(str(error).split()).replace(job["path"], os.path.basename(job["path"]))
    return "corrupt", f"Blender cannot read it ({said[:150]})."


def work(job: dict[str, Any]) -> dict[str, Any]:
    """Opens one file and writes its objects; the answer lists their names, materials and notes."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    open_file(job["path"])
    notes: set[str] = set()
    scene = bpy.context.scene
    if bpy.data.armatures or bpy.data.actions:
        notes.add("rest_pose")
    for armature in bpy.data.armatures:
        armature.pose_position = "REST"
    scene.frame_set(scene.frame_start)
    arrays: dict[str, Arrays] = {}
    objects: list[str] = []
    materials: list[Any] = []
    numbers: dict[str, int] = {}
    faces = 0
    depsgraph = bpy.context.evaluated_depsgraph_get()
    for instance in depsgraph.object_instances:
        evaluated = instance.object
        if evaluated.type not in KINDS:
            continue
        if instance.is_instance:
            notes.add("instances_realised")
        mesh = evaluated.to_mesh()
        if mesh is None:
            continue
        faces += triangle_count(mesh)
        if faces > job["max_faces"]:
            raise RefusedError("too_many_faces", f"The file has over {job['max_faces']:,} faces.")
        if triangle_count(mesh):
            slots = [material_number(slot.material, materials, numbers) for slot in evaluated.material_slots]
            extract(mesh, np.array(instance.matrix_world), slots, len(objects), arrays)
            objects.append(evaluated.original.name if evaluated.original else evaluated.name)
        evaluated.to_mesh_clear()
    described = [describe(m, i, arrays, job["texture_pixels"], notes) for i, m in enumerate(materials)]
    np.savez(job["output"], **arrays)
    return {"objects": objects, "materials": described, "notes": sorted(notes)}


def open_file(path: str) -> None:
    suffix, wm = os.path.splitext(path)[1].lower(), bpy.ops.wm
    if suffix == ".blend":
        wm.open_mainfile(filepath=path, load_ui=False, use_scripts=False)  # nothing in the file may run
    elif suffix == ".fbx":
        # Blender's own reader since 4.5 knows old and ASCII files; the add-on before it does not.
        modern = "fbx_import" in dir(wm)
        wm.fbx_import(filepath=path) if modern else bpy.ops.import_scene.fbx(filepath=path)
    elif suffix in (".usd", ".usda", ".usdc", ".usdz"):
        wm.usd_import(filepath=path)
    elif suffix in (".glb", ".gltf"):
        bpy.ops.import_scene.gltf(filepath=path)
    elif suffix == ".obj":
        wm.obj_import(filepath=path)
    elif suffix == ".dae" and "collada_import" in dir(wm):
        wm.collada_import(filepath=path)
    else:
        raise RefusedError(
            "unsupported_format", f"Blender {bpy.app.version_string} does not read {suffix} files."
        )


def triangle_count(mesh: Any) -> int:
    return int(len(mesh.loops) - 2 * len(mesh.polygons))


def extract(mesh: Any, matrix: Arrays, slots: list[int], number: int, arrays: dict[str, Arrays]) -> None:
    """World-space triangles of one evaluated mesh, with the corner's UVs and painted colours."""
    mesh.calc_loop_triangles()
    m = len(mesh.loop_triangles)
    points = fetch(mesh.vertices, "co", len(mesh.vertices), 3, np.float32).astype(np.float64)
    faces = fetch(mesh.loop_triangles, "vertices", m, 3, np.int32)
    loops = fetch(mesh.loop_triangles, "loops", m, 3, np.int32)
    own = fetch(mesh.loop_triangles, "material_index", m, 1, np.int32)[:, 0]
    if np.linalg.det(matrix[:3, :3]) < 0:
        faces, loops = faces[:, ::-1], loops[:, ::-1]
    table = np.array(slots or [-1], np.int32)
    arrays[f"{number}.vertices"] = points @ matrix[:3, :3].T + matrix[:3, 3]
    arrays[f"{number}.faces"] = faces
    arrays[f"{number}.material"] = table[np.clip(own, 0, len(table) - 1)]
    layer = mesh.uv_layers.active
    if layer is not None and len(layer.uv) == len(mesh.loops):
        arrays[f"{number}.uvs"] = fetch(layer.uv, "vector", len(mesh.loops), 2, np.float32)[loops]
    painted = mesh.color_attributes.active_color
    if painted is not None:
        colors = fetch(painted.data, "color_srgb", len(painted.data), 4, np.float32)
        corners = {"CORNER": loops, "POINT": faces}.get(painted.domain)
        if corners is not None:
            arrays[f"{number}.colors"] = np.round(np.clip(colors[corners], 0, 1) * 255).astype(np.uint8)


def fetch(items: Any, attribute: str, count: int, width: int, kind: Any) -> Arrays:
    values = np.empty(count * width, kind)
    items.foreach_get(attribute, values)
    return values.reshape(count, width)


def material_number(material: Any, materials: list[Any], numbers: dict[str, int]) -> int:
    if material is None:
        return -1
    name = str(material.name)
    if name not in numbers:
        numbers[name] = len(materials)
        materials.append(material)
    return numbers[name]


def describe(
    material: Any, number: int, arrays: dict[str, Arrays], pixels: int, notes: set[str]
) -> dict[str, Any]:
    """Base colour (linear), roughness and metallic of the Principled node; its texture goes to the arrays."""
    found = {"name": material.name, "color": list(material.diffuse_color), "roughness": material.roughness}
    found["metallic"] = material.metallic
    found["painted"] = False  # whether the object's vertex colours are its base colour
    tree = material.node_tree
    shader = next((n for n in tree.nodes if n.type == "BSDF_PRINCIPLED"), None) if tree else None
    if shader is None:
        return found
    base = shader.inputs["Base Color"]
    found["roughness"] = shader.inputs["Roughness"].default_value
    found["metallic"] = shader.inputs["Metallic"].default_value
    found["color"] = [*base.default_value[:3], shader.inputs["Alpha"].default_value]
    node = node_behind(base, ("TEX_IMAGE", "VERTEX_COLOR", "ATTRIBUTE"))
    plain = node is None and np.allclose(found["color"][:3], 0.8, atol=1e-3)  # as importers leave it
    found["painted"] = bool(plain or (node is not None and node.type != "TEX_IMAGE"))
    if node is not None and node.type == "TEX_IMAGE":
        texture = read_image(node.image, pixels) if node.image else None
        if texture is None:
            notes.add("texture_missing")
        else:
            arrays[f"texture.{number}"], reduced = texture
            found["color"][:3] = [1.0, 1.0, 1.0]
            if reduced:
                notes.add("texture_reduced")
    return found


def node_behind(socket: Any, kinds: tuple[str, ...], depth: int = 0) -> Any:
    """The first node of these kinds that feeds a socket, through mixes and curves."""
    for link in socket.links if depth < 8 else ():
        if link.from_node.type in kinds:
            return link.from_node
        for behind in link.from_node.inputs:
            found = node_behind(behind, kinds, depth + 1)
            if found is not None:
                return found
    return None


def read_image(image: Any, pixels: int) -> tuple[Arrays, bool] | None:
    """((h, w, 4) uint8 top row first, whether it was reduced), or None where the picture is not there."""
    width, height = image.size
    if not width or not height:
        return None
    reduced = max(width, height) > pixels
    if reduced:
        scale = pixels / max(width, height)
        image.scale(max(1, round(width * scale)), max(1, round(height * scale)))
        width, height = image.size
    values = np.empty(width * height * image.channels, np.float32)
    image.pixels.foreach_get(values)
    values = values.reshape(height, width, image.channels)[::-1]
    if image.channels < 3:
        values = np.repeat(values[..., :1], 3, axis=2)
    if values.shape[2] == 3:
        values = np.concatenate([values, np.ones((height, width, 1), np.float32)], axis=2)
    return np.round(np.clip(values, 0, 1) * 255).astype(np.uint8), reduced
