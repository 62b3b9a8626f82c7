"""Clay pictures of meshes, drawn off screen: what evaluation sheets show. Needs moderngl (extra `train`).

Any OpenGL 3.3 will do; on Linux the context comes from EGL, for which Mesa's software driver is enough.
"""

from __future__ import annotations

import sys
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

_VERTEX_SHADER = """
#version 330
uniform mat4 camera;
in vec3 in_position;
in vec3 in_normal;
out vec3 position;
out vec3 normal;
void main() {
    position = in_position;
    normal = in_normal;
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
out vec4 color;
void main() {
    vec3 n = normalize(normal);
    vec3 view = normalize(eye - position);
    n = dot(n, view) < 0.0 ? -n : n;
    float lit = 0.5 + 0.5 * dot(n, key);
    float sky = 0.5 + 0.5 * n.z;
    float rim = pow(1.0 - max(dot(n, view), 0.0), 3.0);
    float light = 0.68 * lit * lit + 0.12 * max(dot(n, fill), 0.0) + mix(0.03, 0.25, sky) - 0.10 * rim;
    color = vec4(pow(vec3(0.80, 0.755, 0.695) * light, vec3(1.0 / 2.2)), 1.0);
}
"""


class NoGraphicsError(RuntimeError):
    """This machine offers no OpenGL context."""


class _Renderer:
    """One context, its program and the buffers of one picture size after another."""

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
        self, corners: NDArray[np.float32], size: int, uniforms: dict[str, NDArray[np.float32]]
    ) -> NDArray[np.uint8]:
        """corners: (3m, 6) positions and normals -> (size, size, 3), top row first."""
        for name, value in uniforms.items():
            uniform: Any = self.program[name]
            uniform.write(np.ascontiguousarray(value, np.float32).tobytes())
        target = self.context.simple_framebuffer((size, size), components=3)
        target.use()
        target.clear(*_BACKGROUND)
        if len(corners):
            buffer = self.context.buffer(corners.tobytes())
            array = self.context.vertex_array(self.program, buffer, "in_position", "in_normal")
            array.render(moderngl.TRIANGLES)
            array.release()
            buffer.release()
        pixels = np.frombuffer(target.read(components=3, alignment=1), np.uint8).reshape(size, size, 3)
        target.release()
        return pixels[::-1]


@cache
def _renderer() -> _Renderer:
    return _Renderer()


def render(
    mesh: Mesh, size: int = 256, *, azimuth: float = 32.0, elevation: float = 24.0, frame: Mesh | None = None
) -> NDArray[np.uint8]:
    """Picture (size, size, 3) uint8, top row first, of a mesh in the canonical frame (Z up, front -Y).

    The camera stands `azimuth` degrees to the right of the front and `elevation` above. `frame`, or else the
    box [-1, 1]^3, fills the picture. Both sides of a face are lit. Raises NoGraphicsError.
    """
    shown = _BOX if frame is None or len(frame.vertices) == 0 else frame.vertices
    pixels = _renderer().draw(_corners(mesh), SUPERSAMPLING * size, _camera(azimuth, elevation, shown))
    blocks = pixels.reshape(size, SUPERSAMPLING, size, SUPERSAMPLING, 3)
    picture: NDArray[np.uint8] = np.round(blocks.mean(axis=(1, 3))).astype(np.uint8)
    return picture


def blank(size: int = 256) -> NDArray[np.uint8]:
    """The background alone, for what could not be made."""
    return np.tile(np.round(np.array(_BACKGROUND) * 255).astype(np.uint8), (size, size, 1))


def _camera(azimuth: float, elevation: float, shown: NDArray[Any]) -> dict[str, NDArray[np.float32]]:
    """Uniforms of the shaders: perspective matrix, eye and light directions. All points shown (n, 3) fit."""
    turn, lift = np.radians([azimuth, elevation])
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
        "key": _unit(np.array([-0.45, 0.75, 0.65]) @ axes),
        "fill": _unit(np.array([0.95, 0.05, 0.4]) @ axes),
    }
    return {name: np.asarray(value, np.float32) for name, value in uniforms.items()}


def _unit(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    return vector / np.linalg.norm(vector)


def _corners(mesh: Mesh) -> NDArray[np.float32]:
    """(3m, 6) position and normal of each face's corners."""
    vertices, faces = weld(mesh.vertices, mesh.faces) if len(mesh.faces) else (mesh.vertices, mesh.faces)
    if len(faces) == 0:
        return np.zeros((0, 6), np.float32)
    normals = corner_normals(vertices, faces).reshape(-1, 3)
    corners: NDArray[np.float32] = np.concatenate([vertices[faces].reshape(-1, 3), normals], axis=1).astype(
        np.float32
    )
    return corners


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
