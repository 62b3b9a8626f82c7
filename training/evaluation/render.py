"""Pictures of meshes for people and metrics: clay for evaluation sheets, or in colour, on a plain ground.

The pipeline's own pictures come from training.data.rendering, which this draws with.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from backend.geometry.mesh import Mesh
from training.data.rendering.cameras import BOX, Camera, place
from training.data.rendering.lighting import STUDIO, Lighting
from training.data.rendering.product import on_ground
from training.data.rendering.raster import Shot, raster
from training.data.rendering.surfaces import CLAY, of_mesh

_BACKGROUND = (0.965, 0.962, 0.955)


def render(
    mesh: Mesh,
    size: int = 256,
    *,
    azimuth: float = 32.0,
    elevation: float = 24.0,
    frame: Mesh | None = None,
    colored: bool = False,
) -> NDArray[np.uint8]:
    """Clay picture (size, size, 3) uint8, top row first, of a mesh in the canonical frame (Z up, front -Y).

    The camera stands `azimuth` degrees to the right of the front and `elevation` above. `frame`, or else the
    box [-1, 1]^3, fills the picture. Both sides of a face are lit. `colored` shows the mesh's own colours,
    where it has any. Raises NoGraphicsError.
    """
    camera = Camera(azimuth=azimuth, elevation=elevation)
    colors = face_colors(mesh) if colored else None
    picture: NDArray[np.uint8] = render_views(
        mesh, [camera], size, colors=colors, frame=frame, background=_BACKGROUND
    )[0]
    return picture


def face_colors(mesh: Mesh) -> NDArray[np.uint8] | None:
    """(m, 3) sRGB, the mean of each face's corners; None where no colour is known."""
    if mesh.colors is None:
        return None
    mean: NDArray[np.uint8] = np.round(mesh.colors[mesh.faces, :3].mean(axis=1)).astype(np.uint8)
    return mean


def render_views(
    mesh: Mesh,
    cameras: Sequence[Camera],
    size: int,
    *,
    colors: NDArray[np.uint8] | None = None,
    frame: Mesh | None = None,
    background: tuple[float, float, float] = (1.0, 1.0, 1.0),
    lighting: Sequence[Lighting] | None = None,
) -> NDArray[np.uint8]:
    """Pictures (V, size, size, 3) uint8, top row first, of one mesh by several cameras.

    colors: (m, 3) sRGB of the faces; clay without. lighting: of each camera; the studio without. Otherwise as
    `render`.
    """
    shown = BOX if frame is None or len(frame.vertices) == 0 else frame.vertices
    lights = lighting or [STUDIO] * len(cameras)
    shots = [Shot(pose=place(c, shown), lighting=light) for c, light in zip(cameras, lights, strict=True)]
    painted = np.tile(np.array(CLAY, np.uint8), (len(mesh.faces), 1)) if colors is None else colors
    drawn = raster(size).draw(of_mesh(mesh, painted), shots)
    red, green, blue = (255 * value for value in background)
    return np.stack([on_ground(picture.color, (red, green, blue)) for picture in drawn])


def blank(size: int = 256) -> NDArray[np.uint8]:
    """The background alone, for what could not be made."""
    return np.tile(np.round(np.array(_BACKGROUND) * 255).astype(np.uint8), (size, size, 1))
