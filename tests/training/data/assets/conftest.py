"""A folder of odd files, made anew: everything that a folder from the internet holds."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh
from PIL import Image

_MADE_BY_BLENDER = """
import sys
import bpy
folder = sys.argv[-1]
bpy.ops.wm.read_factory_settings(use_empty=True)
bpy.ops.mesh.primitive_torus_add(location=(2, 0, 1))
ring = bpy.context.object
ring.name = "ring"
material = bpy.data.materials.new("gold")
material.node_tree.nodes["Principled BSDF"].inputs["Base Color"].default_value = (1.0, 0.5, 0.0, 1.0)
material.node_tree.nodes["Principled BSDF"].inputs["Metallic"].default_value = 1.0
ring.data.materials.append(material)
bpy.ops.mesh.primitive_cone_add()
bpy.context.object.name = "hat"
hat = bpy.context.object.data
hat.attributes.new("paint", "BYTE_COLOR", "CORNER")
for corner in hat.attributes["paint"].data:
    corner.color_srgb = (0.0, 0.0, 1.0, 1.0)
hat.color_attributes.active_color = hat.color_attributes["paint"]
bpy.ops.export_scene.fbx(filepath=f"{folder}/two.fbx")
bpy.ops.wm.usd_export(filepath=f"{folder}/two.usdz")
bpy.ops.wm.save_as_mainfile(filepath=f"{folder}/two.blend")
bpy.ops.object.armature_add()
rig = bpy.context.object
hat = bpy.data.objects["hat"]
hat.modifiers.new("rig", "ARMATURE").object = rig
hat.vertex_groups.new(name="Bone").add(range(len(hat.data.vertices)), 1.0, "REPLACE")
bpy.data.objects.remove(ring)
rig.pose.bones["Bone"].scale = (5, 1, 5)
rig.pose.bones["Bone"].keyframe_insert("scale", frame=1)
bpy.ops.wm.save_as_mainfile(filepath=f"{folder}/posed.blend")
bpy.ops.export_scene.gltf(filepath=f"{folder}/skinned.glb")
"""


def _picture(path: Path) -> None:
    checker = np.indices((64, 64)).sum(axis=0) // 8 % 2 * 255
    Image.fromarray(checker.astype(np.uint8)).convert("RGB").save(path)


def _gltf(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """A box as GLB whose JSON is changed; its buffer stays."""
    data = trimesh.Scene(trimesh.creation.box((1, 2, 3))).export(file_type="glb")
    length = struct.unpack("<I", data[12:16])[0]
    tree = json.loads(data[20 : 20 + length])
    change(tree)
    text = json.dumps(tree).encode()
    text += b" " * (-len(text) % 4)
    rest = data[20 + length :]
    head = struct.pack("<4sIII4s", b"glTF", 2, 20 + len(text) + len(rest), len(text), b"JSON")
    path.write_bytes(head + text + rest)


def _broken(folder: Path) -> None:
    (folder / "empty.obj").write_text("")
    (folder / "no_faces.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\n")
    (folder / "wrong_index.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 9\n")
    (folder / "one_place.obj").write_text("v 1 1 1\nv 1 1 1\nv 1 1 1\nf 1 2 3\n")
    (folder / "old.3ds").write_bytes(b"MM")
    for name in ("garbage.glb", "garbage.fbx", "garbage.blend", "garbage.usdc", "garbage.stl", "garbage.zip"):
        (folder / name).write_bytes(b"glTF" + bytes(range(256)))
    whole = trimesh.Scene(trimesh.creation.box()).export(file_type="glb")
    (folder / "cut.glb").write_bytes(whole[:-200])
    _gltf(folder / "circle.glb", lambda tree: tree["nodes"][0].update(children=[0]))
    _gltf(folder / "huge.glb", lambda tree: tree["accessors"][0].update(count=10**10))
    _gltf(folder / "wrong_buffer.glb", lambda tree: tree["bufferViews"][0].update(byteOffset=10**6))
    trimesh.PointCloud(np.eye(3)).export(folder / "points.ply")
    with zipfile.ZipFile(folder / "escape.zip", "w") as archive:
        archive.writestr("../out.obj", "v 0 0 0\n")


def _odd(folder: Path) -> None:
    box, ball = trimesh.creation.box((1, 2, 3)), trimesh.creation.icosphere(2)
    (ball.copy().apply_scale(1e6)).export(folder / "micrometres.stl")
    trimesh.util.concatenate([box, box.copy().apply_translation((0.3, 0.2, 0.1))]).export(
        folder / "cut_self.stl"
    )
    scene = trimesh.Scene()
    scene.add_geometry(ball, geom_name="ball", node_name="first")
    for place in (3, 6):
        matrix = trimesh.transformations.translation_matrix((place, 0, 0))
        scene.graph.update(frame_to=f"at {place}", geometry="ball", matrix=matrix)
    scene.export(folder / "instanced.glb")
    trimesh.Scene(box).export(folder / "mirrored.glb")
    _gltf(folder / "mirrored.glb", lambda tree: tree["nodes"][-1].update(scale=[-1, 1, 1]))
    _gltf(folder / "animated.glb", lambda tree: tree.update(animations=[{"channels": [], "samplers": []}]))
    _gltf(folder / "signed.glb", lambda tree: tree["asset"].update(copyright="CC-BY-4.0 Ann"))
    missing = {"images": [{"uri": "gone.png"}], "textures": [{"source": 0}]}
    missing |= {"materials": [{"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}]}

    def textured(tree: dict[str, Any]) -> None:
        tree.update(missing)
        tree["meshes"][0]["primitives"][0]["material"] = 0

    _gltf(folder / "no_texture.glb", textured)
    lines = [f"v {x} {y} {z}" for x in (0, 1) for y in (0, 1) for z in (0, 1)]
    (folder / "nan.obj").write_text(
        "\n".join([*lines, "v nan 0 0", "f 1 2 3", "f 2 4 3", "f 1 5 9", "f 5 6 7"])
    )


@pytest.fixture(scope="session")
def odd_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files that trimesh or nobody reads."""
    folder = tmp_path_factory.mktemp("odd")
    _broken(folder)
    _odd(folder)
    kit = folder / "kit"
    kit.mkdir()
    _picture(kit / "wood.png")
    (kit / "kit.mtl").write_text("newmtl wood\nmap_Kd wood.png\nnewmtl red\nKd 1 0 0\n")
    (kit / "woodenChair_02.obj").write_text(
        "mtllib kit.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nvt 0 0\nvt 1 0\nvt 0 1\n"
        "o seat\nusemtl wood\nf 1/1 3/3 2/2\nf 1/1 2/2 4/3\n"
        "o back\nusemtl red\nf 1/1 4/2 3/3\nf 2/1 3/2 4/3\n"
    )
    rows = 'path,title,license,tags,url\nwoodenChair_02.obj,Wooden chair,CC0-1.0,"seat, wood",https://a.example\n'
    (kit / "index.csv").write_text(rows)
    with zipfile.ZipFile(folder / "kit.zip", "w") as archive:
        for path in sorted(kit.iterdir()):
            archive.write(path, path.name)
    return folder


@pytest.fixture(scope="session")
def blender_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """two.{fbx,usdz,blend}: a gold ring and a plain hat; posed.blend and skinned.glb: the hat on a bone."""
    pytest.importorskip("bpy")
    folder = tmp_path_factory.mktemp("blender")
    start = [sys.executable, "-c", _MADE_BY_BLENDER, str(folder)]
    environment = {**os.environ, "BLENDER_USER_RESOURCES": str(folder / "user")}
    made = subprocess.run(start, capture_output=True, text=True, timeout=110, env=environment, check=False)
    assert (folder / "skinned.glb").is_file(), made.stdout + made.stderr
    return folder
