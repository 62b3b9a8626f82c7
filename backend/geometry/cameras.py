"""Where pictures are taken from: turntable cameras, the six views, and the frames they resolve to.

Blender's frame: Z up, the front faces -Y. A camera's own axes are OpenGL's and Blender's: x right, y up, z
backward, away from what it looks at.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FIELD_OF_VIEW = 28.0  # degrees: long enough that shapes keep their proportions
FILL = 0.92  # share of the picture's half side that what is framed fills
BOX = np.stack(np.meshgrid([-1.0, 1.0], [-1.0, 1.0], [-1.0, 1.0]), axis=-1).reshape(-1, 3)
Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Camera:
    """A direction to look from; the distance follows from what is to fit in the picture."""

    azimuth: float = 32.0  # degrees to the right of the front, as Blender's views name it: right is +X
    elevation: float = 24.0  # degrees above the ground
    field_of_view: float = FIELD_OF_VIEW  # degrees, of the whole square picture
    fill: float = FILL


# Blender's view axes: from -Y, +Y, -X, +X, +Z (up in the picture is +Y) and -Z (up in the picture is -Y).
CANONICAL = {
    "front": Camera(azimuth=0.0, elevation=0.0),
    "back": Camera(azimuth=180.0, elevation=0.0),
    "left": Camera(azimuth=-90.0, elevation=0.0),
    "right": Camera(azimuth=90.0, elevation=0.0),
    "top": Camera(azimuth=0.0, elevation=90.0),
    "bottom": Camera(azimuth=0.0, elevation=-90.0),
}


@dataclass(frozen=True, kw_only=True)
class Pose:
    """A camera with its place."""

    eye: Floats  # (3,)
    axes: Floats  # (3, 3) rows: right, up, backward
    distance: float  # from the eye to the middle of what was framed
    field_of_view: float  # degrees

    @property
    def slope(self) -> float:
        """Half the picture's side at distance 1."""
        return float(np.tan(np.radians(self.field_of_view / 2)))

    def world_to_camera(self) -> Floats:
        """(4, 4)"""
        view = np.eye(4)
        view[:3, :3], view[:3, 3] = self.axes, -self.axes @ self.eye
        return view

    def projection(self, near: float, far: float) -> Floats:
        """(4, 4), of OpenGL."""
        matrix = np.zeros((4, 4))
        matrix[0, 0] = matrix[1, 1] = 1 / self.slope
        matrix[2, 2:] = -(far + near) / (far - near), -2 * far * near / (far - near)
        matrix[3, 2] = -1
        return matrix

    def described(self) -> dict[str, Any]:
        """JSON values, from which `pose_of` makes the pose again."""
        return {
            "eye": [round(float(value), 9) for value in self.eye],
            "axes": [[round(float(value), 9) for value in row] for row in self.axes],
            "distance": round(self.distance, 9),
            "field_of_view": self.field_of_view,
        }


def pose_of(described: dict[str, Any]) -> Pose:
    """The inverse of `Pose.described`, other names aside."""
    return Pose(
        eye=np.array(described["eye"]),
        axes=np.array(described["axes"]),
        distance=described["distance"],
        field_of_view=described["field_of_view"],
    )


def place(camera: Camera, shown: NDArray[Any] = BOX) -> Pose:
    """The nearest place from which all points shown (n, 3) fit; it looks at the middle of their box."""
    turn, lift = np.radians([camera.azimuth, camera.elevation])
    backward = np.array([np.sin(turn) * np.cos(lift), -np.cos(turn) * np.cos(lift), np.sin(lift)])
    right = np.array([np.cos(turn), np.sin(turn), 0.0])
    axes = np.stack([right, np.cross(backward, right), backward])
    center = (shown.min(axis=0) + shown.max(axis=0)) / 2.0
    offsets = (shown - center) @ axes.T
    slope = np.tan(np.radians(camera.field_of_view / 2))
    distance = float((offsets[:, 2] + np.abs(offsets[:, :2]).max(axis=1) / (camera.fill * slope)).max())
    return Pose(
        eye=center + distance * backward, axes=axes, distance=distance, field_of_view=camera.field_of_view
    )
