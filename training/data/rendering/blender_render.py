"""Runs INSIDE Blender, in the loop of `training/data/blender_jobs.py`: triangles and cameras in, PNGs out.

A job is {"arrays", "textures", "shots", "engine", "size", "samples", "folder"}; `folder`/000.png and so on
are written. Needs bpy and numpy, nothing of ours.
"""

from __future__ import annotations

import math
import os
import sys
from typing import Any

import bpy
import numpy as np

Arrays = np.ndarray[Any, Any]


def explain(error: Exception, job: dict[str, Any]) -> tuple[str, str]:
    """Reason and sentence of a failure."""
    if isinstance(error, MemoryError):
        return "too_much_memory", "Blender ran out of memory."
    detail = " ".join(str(error).split())[:150]
    return "failed", f"Blender cannot draw it ({type(error).__name__}: {detail})."


def work(job: dict[str, Any]) -> dict[str, Any]:
    """Draws every shot of a job."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    with np.load(job["arrays"], allow_pickle=False) as file:
        add_object(scene, {name: file[name] for name in file.files}, job["textures"])
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    scene.collection.objects.link(camera)
    scene.camera = camera
    set_output(scene, job["size"])
    light = WorkbenchLight(scene) if job["engine"] == "workbench" else CyclesLight(scene, job["samples"])
    for number, shot in enumerate(job["shots"]):
        matrix = np.eye(4)
        matrix[:3, :3], matrix[:3, 3] = np.array(shot["axes"]).T, shot["eye"]
        camera.matrix_world = matrix.T.tolist()  # Blender takes columns
        camera.data.angle = math.radians(shot["field_of_view"])
        camera.data.clip_start, camera.data.clip_end = 0.05, shot["distance"] + 4.0
        light.set(shot)
        scene.render.filepath = os.path.join(job["folder"], f"{number:03d}.png")
        bpy.ops.render.render(write_still=True)
    return {"shots": len(job["shots"])}


def set_output(scene: Any, size: int) -> None:
    render = scene.render
    render.resolution_x = render.resolution_y = size
    render.resolution_percentage = 100
    render.film_transparent = True
    render.filter_size = 1.0
    render.threads_mode, render.threads = "FIXED", 1  # assets are drawn side by side
    render.use_persistent_data = True
    render.image_settings.file_format = "PNG"
    render.image_settings.color_mode = "RGBA"
    render.image_settings.compression = 15
    scene.view_settings.view_transform = "Standard"
    scene.view_settings.look = "None"


def add_object(scene: Any, arrays: dict[str, Arrays], textures: list[Any]) -> None:
    """One mesh of separate triangles, with a material for what has no texture and one for each texture."""
    n = len(arrays["position"])
    mesh = bpy.data.meshes.new("object")
    mesh.from_pydata([], [], [])
    mesh.vertices.add(n)
    mesh.vertices.foreach_set("co", arrays["position"].ravel())
    mesh.loops.add(n)
    mesh.loops.foreach_set("vertex_index", np.arange(n, dtype=np.int32))
    mesh.polygons.add(n // 3)
    mesh.polygons.foreach_set("loop_start", np.arange(0, n, 3, dtype=np.int32))
    mesh.polygons.foreach_set("material_index", arrays["group"].astype(np.int32))
    mesh.polygons.foreach_set("use_smooth", np.ones(n // 3, bool))
    layer = mesh.uv_layers.new(name="uv")
    layer.uv.foreach_set("vector", arrays["uv"].ravel())
    colors = mesh.color_attributes.new("base", "FLOAT_COLOR", "CORNER")
    colors.data.foreach_set("color", arrays["color"].ravel())
    mesh.color_attributes.active_color = colors
    surface = mesh.attributes.new("surface", "FLOAT_VECTOR", "CORNER")
    surface.data.foreach_set("vector", arrays["surface"].ravel())
    mesh.update(calc_edges=True)
    mesh.normals_split_custom_set(arrays["normal"].tolist())
    clear = arrays["surface"][:, 2].min() < 1.0
    for texture in textures:
        mesh.materials.append(material(texture, clear))
    scene.collection.objects.link(bpy.data.objects.new("object", mesh))


def material(texture: dict[str, str] | None, clear: bool) -> Any:
    """Principled: roughness, metal and opacity from the corners, colour from them or from a texture.

    Opacity is left out where all is opaque: it costs Cycles half as much again.
    """
    made = bpy.data.materials.new("material")
    made.use_nodes = True
    nodes, links = made.node_tree.nodes, made.node_tree.links
    shader = next(node for node in nodes if node.type == "BSDF_PRINCIPLED")
    surface = nodes.new("ShaderNodeAttribute")
    surface.attribute_name = "surface"
    parts = nodes.new("ShaderNodeSeparateXYZ")
    links.new(surface.outputs["Vector"], parts.inputs[0])
    links.new(parts.outputs["X"], shader.inputs["Roughness"])
    links.new(parts.outputs["Y"], shader.inputs["Metallic"])
    if texture is None:
        source = nodes.new("ShaderNodeAttribute")
        source.attribute_name = "base"
    else:
        source = nodes.new("ShaderNodeTexImage")
        source.image = bpy.data.images.load(texture["path"])
        source.interpolation = texture["interpolation"]
        nodes.active = source  # Workbench shows the active image
    links.new(source.outputs["Color"], shader.inputs["Base Color"])
    if texture is not None:
        links.new(source.outputs["Alpha"], shader.inputs["Alpha"])
    elif clear:
        links.new(parts.outputs["Z"], shader.inputs["Alpha"])
    return made


def denoises() -> bool:
    """Whether this Blender was built with OpenImageDenoise; Cycles' own module knows."""
    return bool(getattr(sys.modules.get("_cycles"), "with_openimagedenoise", False))


class CyclesLight:
    """Suns for the lights, a world of three colours for the ambient gradient."""

    def __init__(self, scene: Any, samples: int) -> None:
        scene.render.engine = "CYCLES"
        cycles = scene.cycles
        cycles.device, cycles.samples, cycles.seed = "CPU", samples, 0
        cycles.use_adaptive_sampling = False
        cycles.use_denoising = denoises()
        if cycles.use_denoising:
            cycles.denoising_quality, cycles.denoising_prefilter = "FAST", "NONE"
        else:
            cycles.samples = 4 * samples  # distributions' builds may come without the denoiser
        cycles.max_bounces, cycles.transparent_max_bounces = 4, 8
        cycles.caustics_reflective = cycles.caustics_refractive = False
        self.scene = scene
        self.suns: list[Any] = []
        self.colors = self._world()

    def set(self, shot: dict[str, Any]) -> None:
        lights = shot["lighting"]["lights"]
        while len(self.suns) < len(lights):
            sun = bpy.data.objects.new("sun", bpy.data.lights.new("sun", "SUN"))
            self.scene.collection.objects.link(sun)
            self.suns.append(sun)
        axes = np.array(shot["axes"])
        for number, sun in enumerate(self.suns):
            light = lights[number] if number < len(lights) else None
            power = max(light["color"]) if light else 0.0
            sun.hide_render = power == 0.0
            if light is None or sun.hide_render:
                continue
            sun.data.energy = math.pi * power  # so that white that faces it shows its colour
            sun.data.color = [value / power for value in light["color"]]
            sun.data.angle = math.radians(5.0 + 115.0 * light["wrap"])
            sun.matrix_world = facing(np.array(light["toward"]) @ axes)
        for name, value in self.colors.items():
            value.default_value = (*shot["lighting"][name], 1.0)

    def _world(self) -> dict[str, Any]:
        """Sockets of the colours straight up, level and straight down."""
        world = bpy.data.worlds.new("world")
        self.scene.world = world
        world.cycles.sampling_method = (
            "NONE"  # a smooth sky needs no map, which would cost more than the rest
        )
        world.use_nodes = True
        nodes, links = world.node_tree.nodes, world.node_tree.links
        background = next(node for node in nodes if node.type == "BACKGROUND")
        place, split = nodes.new("ShaderNodeTexCoord"), nodes.new("ShaderNodeSeparateXYZ")
        links.new(place.outputs["Generated"], split.inputs[0])
        colors = {name: nodes.new("ShaderNodeRGB").outputs[0] for name in ("zenith", "horizon", "ground")}
        mixed = colors["horizon"]
        for name, sign in (("zenith", 1.0), ("ground", -1.0)):
            share = nodes.new("ShaderNodeMath")
            share.operation, share.use_clamp = "MULTIPLY", True
            share.inputs[1].default_value = sign
            links.new(split.outputs["Z"], share.inputs[0])
            mix = nodes.new("ShaderNodeMix")
            mix.data_type = "RGBA"
            factor, a, b = (mix.inputs[i] for i in (0, 6, 7))
            links.new(share.outputs[0], factor)
            links.new(mixed, a)
            links.new(colors[name], b)
            mixed = mix.outputs[2]
        links.new(mixed, background.inputs["Color"])
        return colors


class WorkbenchLight:
    """Workbench's own studio: four lights that hang on the camera, and one ambient colour."""

    def __init__(self, scene: Any) -> None:
        scene.render.engine = "BLENDER_WORKBENCH"
        scene.display.render_aa = "8"
        shading = scene.display.shading
        shading.light, shading.color_type = "STUDIO", "VERTEX"
        if any(len(item.data.materials) > 1 for item in scene.objects if item.type == "MESH"):
            shading.color_type = "TEXTURE"
        shading.show_shadows = shading.show_cavity = shading.show_object_outline = False
        self.shading = shading
        self.system = bpy.context.preferences.system
        self.system.use_studio_light_edit = True

    def set(self, shot: dict[str, Any]) -> None:
        lighting = shot["lighting"]
        strongest = sorted(lighting["lights"], key=lambda light: -sum(light["color"]))
        for number, lamp in enumerate(self.system.solid_lights):
            lamp.use = number < len(strongest)
            if lamp.use:
                light = strongest[number]
                lamp.direction, lamp.smooth = light["toward"], light["wrap"]
                lamp.diffuse_color = light["color"]
                lamp.specular_color = [lighting["gloss"] * value for value in light["color"]]
        self.shading.show_specular_highlight = lighting["gloss"] > 0
        ambient = [lighting[name] for name in ("zenith", "horizon", "horizon", "ground")]
        self.system.light_ambient = np.mean(ambient, axis=0).tolist()


def facing(toward: Arrays) -> list[list[float]]:
    """The matrix, as columns, of a sun that shines from this direction: its own Z points there."""
    aside = np.cross([0.0, 0.0, 1.0] if abs(toward[2]) < 0.9 else [1.0, 0.0, 0.0], toward)
    aside /= np.linalg.norm(aside)
    matrix = np.eye(4)
    matrix[:3, 0], matrix[:3, 1], matrix[:3, 2] = aside, np.cross(toward, aside), toward
    columns: list[list[float]] = matrix.T.tolist()
    return columns
