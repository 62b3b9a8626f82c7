"""What of the file is sent: an object's mesh as it is seen, an image's pixels."""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np
from mathutils import Quaternion
from numpy.typing import NDArray

from ..protocol.arrays import MeshArrays
from ..protocol.blobs import digest
from ..protocol.errors import ProtocolError
from ..protocol.images import encode_pixels
from .core.problems import ProblemError, from_error

LARGEST_IMAGE = 512  # pixels a side: what models look at is smaller


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A mesh with its modifiers, in the object's own coordinates.

    `frame` (3, 3) takes them to the frame that is sent: upright as in the scene and at its scale, in metres
    around the object's origin, but not turned about the vertical, so that what was made facing front does.
    """

    arrays: MeshArrays
    fingerprint: str  # of vertices and faces
    frame: NDArray[np.float64]
    turn: NDArray[np.float64]  # (3, 3): the frame that is sent to the world's axes


def see(obj: bpy.types.Object, view_layer: bpy.types.ViewLayer) -> Seen:
    """Raises ProblemError for one without faces, or that is scaled to nothing."""
    if obj.mode == "EDIT":
        obj.update_from_editmode()
    view_layer.update()
    evaluated = obj.evaluated_get(view_layer.depsgraph)
    mesh = evaluated.to_mesh()
    try:
        arrays = read_mesh(mesh)
    finally:
        evaluated.to_mesh_clear()
    frame, turn = _frames(obj)
    if not len(arrays.faces):
        raise _refusal(f"“{obj.name}” has no faces.", "Select a mesh that has some.")
    if abs(np.linalg.det(frame)) < 1e-12 or not np.isfinite(frame).all():
        raise _refusal(f"“{obj.name}” is scaled to nothing.", "Give it a scale along each axis.")
    return Seen(arrays=arrays, fingerprint=fingerprint(arrays), frame=frame, turn=turn)


def read_mesh(mesh: bpy.types.Mesh) -> MeshArrays:
    """Triangles and, where it has any, colours of the vertices."""
    vertices = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.vertices.foreach_get("co", vertices)
    mesh.calc_loop_triangles()
    faces = np.empty(3 * len(mesh.loop_triangles), np.int32)
    mesh.loop_triangles.foreach_get("vertices", faces)
    return MeshArrays(vertices=vertices.reshape(-1, 3), faces=faces.reshape(-1, 3), colors=_colors(mesh))


def fingerprint(arrays: MeshArrays) -> str:
    """The same for the same vertices and faces, whatever their colours."""
    return digest(arrays.vertices.tobytes() + arrays.faces.tobytes())


def _colors(mesh: bpy.types.Mesh) -> NDArray[np.uint8] | None:
    """(n, 4) sRGB of the active colour attribute; where corners of a vertex differ, their mean."""
    attribute = mesh.color_attributes.active_color
    if attribute is None or not len(attribute.data):
        return None
    values = np.empty(4 * len(attribute.data), np.float32)
    attribute.data.foreach_get("color_srgb", values)
    values = values.reshape(-1, 4)
    if attribute.domain == "CORNER":
        corner = np.empty(len(mesh.loops), np.int32)
        mesh.loops.foreach_get("vertex_index", corner)
        count = len(mesh.vertices)
        sums = np.stack([np.bincount(corner, values[:, part], count) for part in range(4)], axis=1)
        values = sums / np.maximum(np.bincount(corner, minlength=count), 1)[:, None]
    elif attribute.domain != "POINT":
        return None
    return (np.clip(values, 0.0, 1.0) * 255.0).round().astype(np.uint8)


def _frames(obj: bpy.types.Object) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    rotation = obj.matrix_world.to_quaternion()
    about_z = Quaternion((rotation.w, 0.0, 0.0, rotation.z))
    about_z = about_z.normalized() if about_z.magnitude > 1e-6 else Quaternion()
    turn = np.array(about_z.to_matrix(), np.float64)
    return turn.T @ np.array(obj.matrix_world.to_3x3(), np.float64), turn


def image_file(image: bpy.types.Image) -> bytes:
    """Its pixels as a file of the protocol, no larger than a model needs. Raises ProblemError."""
    width, height = image.size
    if not width * height or image.type in ("RENDER_RESULT", "COMPOSITING"):
        raise ProblemError(
            from_error(
                ProtocolError(
                    "bad_image",
                    f"The image “{image.name}” has no pixels that can be read.",
                    hint="Choose one that Blender shows, or save a render as a file first.",
                )
            )
        )
    return encode_pixels(bytes_of(image_pixels(image, LARGEST_IMAGE)))


def image_pixels(image: bpy.types.Image, largest: int) -> NDArray[np.float32]:
    """(h, w, 4) sRGB with straight alpha, 0..1, first row on top, at most `largest` along each side."""
    width, height = image.size
    flat = np.empty(width * height * image.channels, np.float32)
    image.pixels.foreach_get(flat)
    pixels = flat.reshape(height, width, -1)[::-1]
    if image.channels < 3:  # grey
        pixels = np.repeat(pixels[..., :1], 3, axis=2)
    if pixels.shape[2] == 3:
        pixels = np.concatenate([pixels, np.ones_like(pixels[..., :1])], axis=2)
    pixels = shrunk(pixels, largest)
    if image.is_float:  # those of a byte image are as in its file
        pixels[..., :3] = _srgb(pixels[..., :3])
    return pixels


def shrunk(pixels: NDArray[np.float32], largest: int) -> NDArray[np.float32]:
    """Means of whole blocks, weighted by alpha so that the colour of nothing does not bleed."""
    height, width = pixels.shape[:2]
    if max(height, width) <= largest:
        return pixels.copy()
    step = -(-max(height, width) // largest)
    weighted = np.concatenate([pixels[..., :3] * pixels[..., 3:], pixels[..., 3:]], axis=2)
    rows, columns = np.arange(0, height, step), np.arange(0, width, step)
    sums = np.add.reduceat(np.add.reduceat(weighted, rows, axis=0), columns, axis=1)
    counts = np.outer(np.diff(np.append(rows, height)), np.diff(np.append(columns, width)))
    colour = sums[..., :3] / np.maximum(sums[..., 3:], 1e-6)
    alpha = sums[..., 3:] / counts[..., None]
    small: NDArray[np.float32] = np.concatenate([colour, alpha], axis=2).astype(np.float32)
    return small


def bytes_of(pixels: NDArray[np.float32]) -> NDArray[np.uint8]:
    return (np.clip(pixels, 0.0, 1.0) * 255.0).round().astype(np.uint8)


def _srgb(linear: NDArray[np.float32]) -> NDArray[np.float32]:
    """IEC 61966-2-1."""
    clipped = np.clip(linear, 0.0, 1.0)
    return np.where(clipped <= 0.0031308, 12.92 * clipped, 1.055 * clipped ** (1 / 2.4) - 0.055)


def _refusal(sentence: str, hint: str) -> ProblemError:
    return ProblemError(from_error(ProtocolError("bad_mesh", sentence, hint=hint)))
