"""Pictures of meshes, drawn off screen, in clay for evaluation sheets or in colour for training images.

Needs moderngl (extra `train`).

Any OpenGL 3.3 will do; on Linux the context comes from EGL, for which Mesa's software driver is enough.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import moderngl
import numpy as np
from numpy.typing import NDArray

from backend.geometry.mesh import Mesh
from backend.geometry.orientation import weld
from backend.geometry.sampling import face_normals

SUPERSAMPLING = 3  # along each side of a pixel
FIELD_OF_VIEW = 28.0  # degrees: long enough that shapes keep their proportions
SHARP = 35.0  # degrees between faces from which their edge shows as an edge
_MARGIN = 0.92  # share of the picture's half side that what is framed fills
_BOX = np.stack(np.meshgrid([-1, 1], [-1, 1], [-1, 1]), axis=-1).reshape(-1, 3)
_BACKGROUND = (0.965, 0.962, 0.955)
_CLAY = (0.9035, 0.8801, 0.8476)  # sRGB
_KEY = (-0.45, 0.75, 0.65)  # toward the light, seen from the camera: right, up, back

_VERTEX_SHADER = """
#version 330
uniform mat4 camera;
in vec3 in_position;
in vec3 in_normal;
in vec3 in_color;
out vec3 position;
out vec3 normal;
out vec3 albedo;
void main() {
    position = in_position;
    normal = in_normal;
    albedo = pow(in_color, vec3(2.2));
    gl_Position = camera * vec4(in_position, 1.0);
}
"""
# Half-Lambert (Mitchell et al. 2006) keeps the shadow side readable; the sky term stands in for occlusion.
_FRAGMENT_SHADER = """
#version 330
uniform vec3 eye;
uniform vec3 key;
uniform vec3 fill;
in vec3 position;
in vec3 normal;
in vec3 albedo;
out vec4 color;
void main() {
    vec3 n = normalize(normal);
    vec3 view = normalize(eye - position);
    n = dot(n, view) < 0.0 ? -n : n;
    float lit = 0.5 + 0.5 * dot(n, key);
    float sky = 0.5 + 0.5 * n.z;
    float rim = pow(1.0 - max(dot(n, view), 0.0), 3.0);
    float light = 0.68 * lit * lit + 0.12 * max(dot(n, fill), 0.0) + mix(0.03, 0.25, sky) - 0.10 * rim;
    color = vec4(pow(albedo * light, vec3(1.0 / 2.2)), 1.0);
}
"""


@dataclass(frozen=True, kw_only=True)
class Camera:
    """Where a picture is taken from, in Blender's frame: Z up, the front faces -Y."""

    azimuth: float = 32.0  # degrees to the right of the front, as Blender's views name it: right is +X
    elevation: float = 24.0  # degrees above the ground
    key: tuple[float, float, float] = _KEY  # toward the light, seen from the camera: right, up, back


# Blender's view axes: from -Y, +Y, -X, +X, +Z (up in the picture is +Y) and -Z (up in the picture is -Y).
CANONICAL = {
    "front": Camera(azimuth=0.0, elevation=0.0),
    "back": Camera(azimuth=180.0, elevation=0.0),
    "left": Camera(azimuth=-90.0, elevation=0.0),
    "right": Camera(azimuth=90.0, elevation=0.0),
    "top": Camera(azimuth=0.0, elevation=90.0),
    "bottom": Camera(azimuth=0.0, elevation=-90.0),
}


class NoGraphicsError(RuntimeError):
    """This machine offers no OpenGL context."""


class _Renderer:
    """One context, its program and the buffers of one mesh after another."""

    def __init__(self) -> None:
        backend: dict[str, Any] = {"backend": "egl"} if sys.platform == "linux" else {}
        try:
            self.context = moderngl.create_context(standalone=True, require=330, **backend)
        except Exception as error:  # moderngl raises Exception itself
            raise NoGraphicsError(
                f"no OpenGL 3.3 context ({error}); install a driver, such as Mesa's libEGL"
            ) from error
        self.program = self.context.program(_VERTEX_SHADER, _FRAGMENT_SHADER)
        self.context.enable(moderngl.DEPTH_TEST)

    def draw(
        self,
        corners: NDArray[np.float32],
        size: int,
        cameras: Sequence[dict[str, NDArray[np.float32]]],
        background: tuple[float, float, float],
    ) -> Iterator[NDArray[np.uint8]]:
        """corners: (3m, 9) positions, normals, sRGB -> a picture (size, size, 3) a camera, top row first."""
        target = self.context.simple_framebuffer((size, size), components=3)
        target.use()
        buffer = self.context.buffer(corners.tobytes()) if len(corners) else None
        array = buffer and self.context.vertex_array(
            self.program, buffer, "in_position", "in_normal", "in_color"
        )
        for uniforms in cameras:
            for name, value in uniforms.items():
                uniform: Any = self.program[name]
                uniform.write(np.ascontiguousarray(value, np.float32).tobytes())
            target.clear(*background)
            if array:
                array.render(moderngl.TRIANGLES)
            data = target.read(components=3, alignment=1)
            yield np.frombuffer(data, np.uint8).reshape(size, size, 3)[::-1]
        for resource in (array, buffer, target):
            if resource:
                resource.release()


@cache
def _renderer() -> _Renderer:
    return _Renderer()


def render(
    mesh: Mesh, size: int = 256, *, azimuth: float = 32.0, elevation: float = 24.0, frame: Mesh | None = None
) -> NDArray[np.uint8]:
    """Clay picture (size, size, 3) uint8, top row first, of a mesh in the canonical frame (Z up, front -Y).

    The camera stands `azimuth` degrees to the right of the front and `elevation` above. `frame`, or else the
    box [-1, 1]^3, fills the picture. Both sides of a face are lit. Raises NoGraphicsError.
    """
    camera = Camera(azimuth=azimuth, elevation=elevation)
    picture: NDArray[np.uint8] = render_views(mesh, [camera], size, frame=frame, background=_BACKGROUND)[0]
    return picture


def render_views(
    mesh: Mesh,
    cameras: Sequence[Camera],
    size: int,
    *,
    colors: NDArray[np.uint8] | None = None,
    frame: Mesh | None = None,
    background: tuple[float, float, float] = (1.0, 1.0, 1.0),
) -> NDArray[np.uint8]:
    """Pictures (V, size, size, 3) uint8, top row first, of one mesh by several cameras.

    colors: (m, 3) sRGB of the faces; clay without. Otherwise as `render`.
    """
    shown = _BOX if frame is None or len(frame.vertices) == 0 else frame.vertices
    uniforms = [_uniforms(camera, shown) for camera in cameras]
    drawn = _renderer().draw(_corners(mesh, colors), SUPERSAMPLING * size, uniforms, background)
    blocks = (pixels.reshape(size, SUPERSAMPLING, size, SUPERSAMPLING, 3) for pixels in drawn)
    pictures: NDArray[np.uint8] = np.stack(
        [np.round(block.mean(axis=(1, 3))).astype(np.uint8) for block in blocks]
    )
    return pictures


def blank(size: int = 256) -> NDArray[np.uint8]:
    """The background alone, for what could not be made."""
    return np.tile(np.round(np.array(_BACKGROUND) * 255).astype(np.uint8), (size, size, 1))


def _uniforms(camera: Camera, shown: NDArray[Any]) -> dict[str, NDArray[np.float32]]:
    """Uniforms of the shaders: perspective matrix, eye and light directions. All points shown (n, 3) fit."""
    turn, lift = np.radians([camera.azimuth, camera.elevation])
    toward = np.array([np.sin(turn) * np.cos(lift), -np.cos(turn) * np.cos(lift), np.sin(lift)])
    right = np.array([np.cos(turn), np.sin(turn), 0.0])
    axes = np.stack([right, np.cross(toward, right), toward])
    center = (shown.min(axis=0) + shown.max(axis=0)) / 2
    offsets = (shown - center) @ axes.T
    slope = np.tan(np.radians(FIELD_OF_VIEW / 2))
    distance = float((offsets[:, 2] + np.abs(offsets[:, :2]).max(axis=1) / (_MARGIN * slope)).max())
    eye = center + distance * toward
    near, far = 0.05, distance + 4.0
    view = np.eye(4)
    view[:3, :3], view[:3, 3] = axes, -axes @ eye
    projection = np.zeros((4, 4))
    projection[0, 0] = projection[1, 1] = 1 / slope
    projection[2, 2:] = -(far + near) / (far - near), -2 * far * near / (far - near)
    projection[3, 2] = -1
    uniforms = {
        "camera": (projection @ view).T,  # OpenGL reads columns
        "eye": eye,
        "key": _unit(np.array(camera.key) @ axes),
        "fill": _unit(np.array([0.95, 0.05, 0.4]) @ axes),
    }
    return {name: np.asarray(value, np.float32) for name, value in uniforms.items()}


def _unit(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    return vector / np.linalg.norm(vector)


def _corners(mesh: Mesh, colors: NDArray[np.uint8] | None) -> NDArray[np.float32]:
    """(3m, 9) position, normal and sRGB colour of each face's corners; faces without area are left out."""
    kept = _distinct(mesh)
    if not kept.any():
        return np.zeros((0, 9), np.float32)
    vertices, faces = weld(mesh.vertices, mesh.faces[kept])
    normals = corner_normals(vertices, faces).reshape(-1, 3)
    shade = np.tile(np.array(_CLAY), (len(faces), 1)) if colors is None else colors[kept] / 255
    parts = [vertices[faces].reshape(-1, 3), normals, np.repeat(shade, 3, axis=0)]
    corners: NDArray[np.float32] = np.concatenate(parts, axis=1).astype(np.float32)
    return corners


def _distinct(mesh: Mesh) -> NDArray[np.bool_]:
    """(m,) faces whose corners `weld` keeps apart, so that colours stay with their faces."""
    if len(mesh.faces) == 0:
        return np.zeros(0, np.bool_)
    points = np.ascontiguousarray(mesh.vertices, np.float64)
    cells = np.round(points / (max(float(np.ptp(points, axis=0).max()), 1e-30) * 1e-6))[mesh.faces]
    apart: NDArray[np.bool_] = (cells != np.roll(cells, 1, axis=1)).any(axis=2).all(axis=1)
    return apart


def corner_normals(vertices: NDArray[Any], faces: NDArray[Any], sharp: float = SHARP) -> NDArray[np.float64]:
    """Unit normals (m, 3, 3) of the corners of a welded mesh: smooth, but not over `sharp` edges.

    A corner's normal is the area-weighted mean over the faces at its vertex that turn less than `sharp`
    from its own face.
    """
    unit, area = face_normals(np.asarray(vertices, np.float64)[faces])
    vertex = np.asarray(faces, np.int64).ravel()
    order = np.argsort(vertex, kind="stable")
    around = np.bincount(vertex)[vertex[order]]  # corners at the vertex of each corner
    first = np.searchsorted(vertex[order], vertex[order])
    own = np.repeat(np.arange(len(order)), around)
    rank = np.arange(len(own)) - np.repeat(np.cumsum(around) - around, around)
    face, other = order[own] // 3, order[first[own] + rank] // 3
    near = np.einsum("ij,ij->i", unit[face], unit[other]) > np.cos(np.radians(sharp))
    pull = unit[other] * (area[other] * near)[:, None]
    sums = np.stack(
        [np.bincount(order[own], pull[:, axis], minlength=len(order)) for axis in range(3)], axis=1
    )
    length = np.linalg.norm(sums, axis=1, keepdims=True)
    return np.divide(sums, length, out=np.repeat(unit, 3, axis=0), where=length > 0).reshape(-1, 3, 3)
