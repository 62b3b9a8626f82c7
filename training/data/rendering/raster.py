"""The rasteriser: any OpenGL 3.3; on Linux through EGL, for which Mesa's software driver is enough.

Needs moderngl (extra `train`). A process that has drawn must not fork: start others by spawning.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import moderngl
import numpy as np
from numpy.typing import NDArray

from training.data.rendering.cameras import Pose
from training.data.rendering.lighting import MOST_LIGHTS, Lighting
from training.data.rendering.shaders import FRAGMENT, RESOLVE, SAMPLES, SCREEN, VERTEX
from training.data.rendering.surfaces import CORNER, Surface

DEPTH_STEPS = 4095  # from the near end of a picture's depth range to its far end; 0 is nothing
REACH = 1.8  # metres before and behind what a camera looks at that depth covers
_SRGB8_ALPHA8 = 0x8C43
_ATTRIBUTES = ("in_position", "in_normal", "in_color", "in_surface", "in_uv")
_FORMAT = "3f4 4f2 4f1 4f1 2f4"
_NEAR = 0.05  # metres


class NoGraphicsError(RuntimeError):
    """This machine offers no OpenGL context."""


@dataclass(frozen=True, kw_only=True)
class Shot:
    """One picture to take."""

    pose: Pose
    lighting: Lighting


@dataclass(frozen=True, kw_only=True)
class Picture:
    """One picture, top row first."""

    color: NDArray[np.uint8]  # (s, s, 4) sRGB, straight alpha
    depth: NDArray[np.uint16]  # (s, s) steps, 0: nothing; see `metres`
    normals: NDArray[np.uint8]  # (s, s, 3) world frame, turned to the camera: 255 * (n + 1) / 2; 128: nothing


def metres(depth: NDArray[np.uint16], distance: float) -> NDArray[np.float32]:
    """Depth along the camera's axis; 0 where there is nothing. `distance` is the pose's."""
    near = max(distance - REACH, 0.0)
    step = (distance + REACH - near) / (DEPTH_STEPS - 1)
    far: NDArray[np.float32] = np.where(depth > 0, near + step * (depth.astype(np.float32) - 1), 0.0).astype(
        np.float32
    )
    return far


class Raster:
    """One context, its programs and its targets of one size."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.context = _context()
        self._shade = self.context.program(VERTEX, FRAGMENT)
        self._resolve = self.context.program(SCREEN, RESOLVE)
        fine, coarse = (SAMPLES * size, SAMPLES * size), (size, size)
        sources = [self.context.texture(fine, 4), self.context.texture(fine, 4)]
        self._depth = self.context.depth_texture(fine)
        self._depth.compare_func = ""
        self._fine = self.context.framebuffer(sources, self._depth)
        self._coarse = self.context.framebuffer([self.context.texture(coarse, 4) for _ in range(3)])
        self._sources = [*sources, self._depth]
        self._screen = self.context.vertex_array(self._resolve, [])
        for unit, name in enumerate(("colors", "facings", "depths")):
            self._set(self._resolve, name, unit)

    def draw(self, surface: Surface, shots: Sequence[Shot]) -> Iterator[Picture]:
        """One picture of the surface a shot."""
        buffer = self.context.buffer(surface.corners.tobytes()) if surface.faces else None
        array = None
        if buffer is not None:
            array = self.context.vertex_array(self._shade, [(buffer, _FORMAT, *_ATTRIBUTES)])
        textures = [self._texture(pixels) for pixels in surface.textures]
        try:
            for shot in shots:
                self._draw_fine(array, surface.counts, textures, shot)
                yield self._draw_coarse(shot.pose)
        finally:
            for resource in (array, buffer, *textures):
                if resource:
                    resource.release()

    def _draw_fine(
        self,
        array: moderngl.VertexArray | None,
        counts: Sequence[int],
        textures: Sequence[moderngl.Texture],
        shot: Shot,
    ) -> None:
        self._fine.use()
        self._fine.clear(0.0, 0.0, 0.0, 0.0)
        self.context.enable_only(moderngl.DEPTH_TEST)
        if array is None:
            return
        for name, value in _uniforms(shot).items():
            self._set(self._shade, name, value)
        first = 0
        for number, count in enumerate(counts):
            self._set(self._shade, "textured", number > 0)
            if number:
                textures[number - 1].use(0)
            if count:
                array.render(moderngl.TRIANGLES, vertices=count, first=first)
            first += count

    def _draw_coarse(self, pose: Pose) -> Picture:
        self._coarse.use()
        self.context.enable_only(moderngl.NOTHING)
        for unit, source in enumerate(self._sources):
            source.use(unit)
        self._set(self._resolve, "range", (max(pose.distance - REACH, 0.0), pose.distance + REACH))
        self._set(self._resolve, "planes", _planes(pose))
        self._screen.render(moderngl.TRIANGLES, vertices=3)
        color, facing, far = (self._read(attachment) for attachment in range(3))
        depth = far[..., 0].astype(np.uint16) * 256 + far[..., 1]
        return Picture(color=color, depth=depth, normals=np.ascontiguousarray(facing[..., :3]))

    def _read(self, attachment: int) -> NDArray[np.uint8]:
        data = self._coarse.read(components=4, attachment=attachment, alignment=1)
        return np.frombuffer(data, np.uint8).reshape(self.size, self.size, 4)[::-1]

    def _texture(self, pixels: NDArray[np.uint8]) -> moderngl.Texture:
        size = (pixels.shape[1], pixels.shape[0])
        texture = self.context.texture(size, 4, pixels.tobytes(), internal_format=_SRGB8_ALPHA8)
        texture.build_mipmaps()
        texture.anisotropy = 8.0
        return texture

    @staticmethod
    def _set(program: moderngl.Program, name: str, value: object) -> None:
        uniform: Any = program[name]
        uniform.value = value


@lru_cache(maxsize=1)
def _context() -> moderngl.Context:
    backend: dict[str, Any] = {"backend": "egl"} if sys.platform == "linux" else {}
    try:
        return moderngl.create_context(standalone=True, require=330, **backend)
    except Exception as error:  # moderngl raises Exception itself
        raise NoGraphicsError(
            f"no OpenGL 3.3 context ({error}); install a driver, such as Mesa's libEGL"
        ) from error


@lru_cache(maxsize=4)
def raster(size: int) -> Raster:
    """This process' rasteriser for square pictures of `size` pixels. Raises NoGraphicsError."""
    return Raster(size)


def _planes(pose: Pose) -> tuple[float, float]:
    return _NEAR, pose.distance + 4.0


def _uniforms(shot: Shot) -> dict[str, object]:
    pose, lighting = shot.pose, shot.lighting
    if len(lighting.lights) > MOST_LIGHTS:
        raise ValueError(f"a set-up has at most {MOST_LIGHTS} lights, not {len(lighting.lights)}")
    spare = MOST_LIGHTS - len(lighting.lights)
    toward = [np.array(light.toward) @ pose.axes for light in lighting.lights] + spare * [np.zeros(3)]
    camera = pose.projection(*_planes(pose)) @ pose.world_to_camera()
    return {
        "camera": tuple(camera.T.ravel()),  # OpenGL reads columns
        "eye": tuple(pose.eye),
        "n_lights": len(lighting.lights),
        "toward": [tuple(vector) for vector in toward],
        "power": [light.color for light in lighting.lights] + spare * [(0.0, 0.0, 0.0)],
        "wrap": [light.wrap for light in lighting.lights] + spare * [0.0],
        "zenith": lighting.zenith,
        "horizon": lighting.horizon,
        "ground": lighting.ground,
        "rim": lighting.rim,
        "gloss": lighting.gloss,
    }


assert CORNER.itemsize == 36  # bytes of _FORMAT
