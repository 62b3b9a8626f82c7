"""Do pictures and a shape agree? Silhouettes and pixels of pictures beside renders of the mesh (O76)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from backend.geometry.mesh import Mesh
from backend.sequence import VIEWS
from training.data.rendering.cameras import CANONICAL, Pose, place
from training.data.rendering.lighting import STUDIO
from training.data.rendering.product import on_ground
from training.data.rendering.raster import Shot, raster
from training.data.rendering.surfaces import of_mesh
from training.evaluation.scores import iou

DARKER = 200  # a picture's object is where some channel is darker; its ground is white
_BOX_POSES = {name: place(camera) for name, camera in CANONICAL.items()}
Mask = NDArray[np.bool_]
Picture = NDArray[np.uint8]


def canonical_poses() -> tuple[Pose, ...]:
    """Those of the six views that models draw, in their order."""
    return tuple(_BOX_POSES[name] for name in VIEWS)


def drawn(picture: Picture) -> Mask:
    """(h, w) where a picture (h, w, 3 or 4) on white shows its object; by alpha where it has some."""
    if picture.shape[2] == 4 and picture[..., 3].min() < 255:
        covered: Mask = picture[..., 3] > 127
        return covered
    dark: Mask = (picture[..., :3] < DARKER).any(axis=2)
    opened: Mask = ndimage.binary_opening(dark)  # specks are noise of the image tokenizer
    return opened


def renders(mesh: Mesh, poses: Sequence[Pose], size: int) -> tuple[list[Picture], list[Mask]]:
    """Pictures (size, size, 3) on white in the studio, in the mesh's own colours, and silhouettes."""
    shots = [Shot(pose=pose, lighting=STUDIO) for pose in poses]
    shown = [picture.color for picture in raster(size).draw(of_mesh(mesh), shots)]
    return [on_ground(color, (255, 255, 255)) for color in shown], [color[..., 3] > 127 for color in shown]


def agreement(pictures: Sequence[Picture], mesh: Mesh, poses: Sequence[Pose]) -> list[float]:
    """Intersection over union of the silhouettes of each picture and of the mesh from its pose."""
    masks = renders(mesh, poses, pictures[0].shape[0])[1]
    return [iou(drawn(picture), mask) for picture, mask in zip(pictures, masks, strict=True)]


def flat(picture: Picture) -> Picture:
    """(h, w, 3) on white."""
    laid: Any = on_ground(picture, (255, 255, 255)) if picture.shape[2] == 4 else picture
    whole: Picture = laid
    return whole
