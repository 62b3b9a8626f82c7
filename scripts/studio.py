"""A studio around one object: seamless ground, three lights, a camera from front right above."""

from __future__ import annotations

import math
from pathlib import Path

import bpy
import numpy as np
from mathutils import Vector
from numpy.typing import NDArray

VIEW = Vector((0.62, -1.0, 0.52)).normalized()  # from the object to the camera; front faces -Y
MARGIN = 1.12  # room around the object in the picture
LIGHTS = (  # name, direction from the object, size and power (for an object of 1 m)
    ("Key", Vector((1.2, -0.7, 1.5)), 0.5, 21.0),
    ("Fill", Vector((-1.6, -0.9, 0.5)), 1.6, 3.5),
    ("Rim", Vector((-0.8, 1.3, 1.1)), 0.7, 15.0),
)
GROUND = (0.62, 0.63, 0.65, 1.0)
SKY = (0.88, 0.93, 1.0, 1.0)
SKY_STRENGTH = 0.2
MAX_POINTS = 5000  # of the object, looked at to frame it


def clear_scene() -> None:
    """Nothing of Blender's default scene is left."""
    for obj in list(bpy.data.objects):
        bpy.data.objects.remove(obj, do_unlink=True)


def build(obj: bpy.types.Object) -> None:
    """Ground, lights and camera for `obj`, in a collection "Studio" that replaces an earlier one."""
    scene = bpy.context.scene
    collection = _fresh_collection(scene)
    bpy.context.view_layer.update()
    corners = [obj.matrix_world @ Vector(corner) for corner in obj.bound_box]
    low = Vector([min(corner[axis] for corner in corners) for axis in range(3)])
    high = Vector([max(corner[axis] for corner in corners) for axis in range(3)])
    centre, radius = (low + high) / 2, max((high - low).length / 2, 1e-3)
    _ground(collection, Vector((centre.x, centre.y, low.z)), radius)
    for name, direction, size, power in LIGHTS:
        _light(collection, name, centre, direction.normalized(), size, power, radius)
    _camera(scene, collection, obj, centre, radius)
    _world(scene)


def render(path: Path, *, engine: str, size: int, samples: int) -> None:
    """Writes a square PNG. engine: "cycles" or "workbench"."""
    scene = bpy.context.scene
    scene.render.resolution_x = scene.render.resolution_y = size
    scene.render.resolution_percentage = 100
    scene.render.image_settings.file_format = "PNG"
    scene.render.filepath = str(path)
    if engine == "cycles":
        scene.render.engine = "CYCLES"
        scene.cycles.device = "CPU"
        scene.cycles.samples = samples
        scene.cycles.use_adaptive_sampling = True
        scene.cycles.max_bounces = 4
        scene.cycles.use_denoising = True
        scene.view_settings.view_transform = "AgX"
        scene.view_settings.look = "AgX - Medium High Contrast"
        scene.view_settings.exposure = 0.0
    else:
        scene.render.engine = "BLENDER_WORKBENCH"
        scene.display.shading.light = "STUDIO"
        scene.display.shading.color_type = "SINGLE"
        scene.display.shading.single_color = (0.82, 0.79, 0.75)
        scene.display.shading.show_cavity = True
        scene.display.shading.cavity_type = "SCREEN"
        scene.display.shading.show_shadows = True
        scene.display.shading.shadow_intensity = 0.35
        scene.display.render_aa = "8"
        scene.view_settings.view_transform = "Standard"
        scene.view_settings.look = "None"
        scene.view_settings.exposure = 0.9
    bpy.ops.render.render(write_still=True)


def _fresh_collection(scene: bpy.types.Scene) -> bpy.types.Collection:
    old = bpy.data.collections.get("Studio")
    if old is not None:
        for obj in list(old.objects):
            bpy.data.objects.remove(obj, do_unlink=True)
        bpy.data.collections.remove(old)
    collection = bpy.data.collections.new("Studio")
    scene.collection.children.link(collection)
    return collection


def _ground(collection: bpy.types.Collection, centre: Vector, radius: float) -> None:
    """A plane that curves up behind the object, so that there is no horizon."""
    half, bend, steps = 16 * radius, 3 * radius, 16
    profile = [(-half, 0.0), (bend, 0.0)]
    profile += [
        (bend + bend * math.sin(angle), bend * (1 - math.cos(angle)))
        for angle in (math.pi / 2 * step / steps for step in range(1, steps + 1))
    ]
    profile.append((2 * bend, half))
    vertices = [centre + Vector((x, y, z)) for y, z in profile for x in (-half, half)]
    faces = [(2 * row, 2 * row + 1, 2 * row + 3, 2 * row + 2) for row in range(len(profile) - 1)]
    mesh = bpy.data.meshes.new("Ground")
    mesh.from_pydata(vertices, [], faces)
    mesh.shade_smooth()
    mesh.materials.append(_ground_material())
    collection.objects.link(bpy.data.objects.new("Ground", mesh))


def _ground_material() -> bpy.types.Material:
    material = bpy.data.materials.get("Ground") or bpy.data.materials.new("Ground")
    if material.node_tree is None:  # before Blender 5.0
        material.use_nodes = True
    shader = next(node for node in material.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
    shader.inputs["Base Color"].default_value = GROUND
    shader.inputs["Roughness"].default_value = 0.9
    material.diffuse_color = GROUND
    return material


def _light(
    collection: bpy.types.Collection,
    name: str,
    centre: Vector,
    direction: Vector,
    size: float,
    power: float,
    radius: float,
) -> None:
    light = bpy.data.lights.new(name, "AREA")
    light.size = 2 * size * radius
    light.energy = power * (2 * radius) ** 2
    obj = bpy.data.objects.new(name, light)
    obj.location = centre + direction * 3.2 * radius
    obj.rotation_euler = (-direction).to_track_quat("-Z", "Y").to_euler()
    collection.objects.link(obj)


def _camera(
    scene: bpy.types.Scene,
    collection: bpy.types.Collection,
    obj: bpy.types.Object,
    centre: Vector,
    radius: float,
) -> None:
    """As near as the object allows, with a margin, and the object in the middle of the picture."""
    data = bpy.data.cameras.new("Camera")
    data.lens = 65.0
    data.clip_end = 1000 * radius
    camera = bpy.data.objects.new("Camera", data)
    rotation = (-VIEW).to_track_quat("-Z", "Y")
    camera.rotation_euler = rotation.to_euler()
    half_angle = math.tan(data.angle / 2) / MARGIN
    # in the camera's axes, relative to the centre: x right, y up, z towards the camera
    points = (_points(obj) - np.array(centre)) @ np.array(rotation.to_matrix())
    offset, distance = np.zeros(2), 8.0 * radius
    for _ in range(12):
        spread = (points[:, :2] - offset) / (distance - points[:, 2:])
        offset = offset + distance * (spread.min(axis=0) + spread.max(axis=0)) / 2
        reach = np.abs(points[:, :2] - offset).max(axis=1) / half_angle + points[:, 2]
        distance = float(reach.max())
    camera.location = centre + rotation @ Vector((offset[0], offset[1], distance))
    collection.objects.link(camera)
    scene.camera = camera


def _points(obj: bpy.types.Object) -> NDArray[np.float64]:
    """(n, 3) vertices in the world, at most about MAX_POINTS."""
    flat = np.empty(3 * len(obj.data.vertices), np.float32)
    obj.data.vertices.foreach_get("co", flat)
    local = flat.reshape(-1, 3)[:: max(1, len(flat) // (3 * MAX_POINTS))].astype(np.float64)
    matrix = np.array(obj.matrix_world)
    world: NDArray[np.float64] = local @ matrix[:3, :3].T + matrix[:3, 3]
    return world


def _world(scene: bpy.types.Scene) -> None:
    world = scene.world or bpy.data.worlds.new("World")
    scene.world = world
    if world.node_tree is None:  # before Blender 5.0
        world.use_nodes = True
    background = next(node for node in world.node_tree.nodes if node.type == "BACKGROUND")
    background.inputs["Color"].default_value = SKY
    background.inputs["Strength"].default_value = SKY_STRENGTH
