"""Pictures by which a synthesised asset is judged: from all around, in its own colours, without any light."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from backend.events import Pixels
from backend.geometry.mesh import Mesh
from backend.geometry.sampling import face_normals
from training.data.assets.asset import Asset
from training.data.filtering.shape import WeldedMesh
from training.data.rendering.cameras import CANONICAL, FILL, Camera, Pose, place
from training.data.rendering.lighting import Lighting
from training.data.rendering.raster import Picture, Shot, metres, raster
from training.data.rendering.surfaces import of_asset, of_mesh
from training.data.synthesis.matting import framed

_WHITE = (1.0, 1.0, 1.0)
UNLIT = Lighting(lights=(), zenith=_WHITE, horizon=_WHITE, ground=_WHITE, rim=0.0, gloss=0.0)
AROUND = (
    *CANONICAL.values(),
    *(Camera(azimuth=turn, elevation=25.0) for turn in (45.0, 135.0, -135.0, -45.0)),
)
_BACK = 0.5  # cosine, beyond which a surface certainly shows its back
_MATCHED = 64  # pixels of the silhouettes that are compared with a picture
_TURNS, _LIFTS = range(-180, 180, 20), (0.0, 20.0, 40.0)
_FINER = (7.0, 3.0)  # degrees around the best of those
Mask = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Look:
    """One picture of the gallery."""

    picture: Picture
    pose: Pose

    @property
    def mask(self) -> Mask:
        """Whatever shows at all, thin parts too."""
        found: Mask = self.picture.color[..., 3] > 25
        return found

    @property
    def colors(self) -> NDArray[np.float32]:
        """(s, s, 3) 0..1 sRGB, meaningless outside the mask."""
        return self.picture.color[..., :3] / np.float32(255)

    @property
    def surface(self) -> Mask:
        """Inside, away from outlines, creases and steps in depth: where one surface runs on."""
        depth = metres(self.picture.depth, self.pose.distance)
        normals = self.picture.normals.astype(np.float32) / 127.5 - 1
        smooth = (self.picture.color[..., 3] > 250) & (self.picture.depth > 0)
        for axis in (0, 1):
            for shift in (1, -1):
                turned = (normals * np.roll(normals, shift, axis)).sum(axis=2)
                step = np.abs(depth - np.roll(depth, shift, axis))
                smooth &= (turned > 0.9) & (step < 0.05)
        return smooth


def look_around(asset: Asset, size: int) -> list[Look]:
    """The six canonical views and four from above, framed on the asset. Raises NoGraphicsError."""
    surface, shown = of_asset(asset), asset.vertices.astype(np.float64)
    poses = [place(camera, shown) for camera in AROUND]
    pictures = raster(size).draw(surface, [Shot(pose=pose, lighting=UNLIT) for pose in poses])
    return [Look(picture=picture, pose=pose) for picture, pose in zip(pictures, poses, strict=True)]


def inside_out(mesh: WeldedMesh, size: int) -> float:
    """Share of all that shows, from all around, that is the back of a surface."""
    facing = Mesh(vertices=mesh.vertices.astype(np.float32), faces=mesh.oriented.astype(np.int32))
    normals, _ = face_normals(facing.vertices.astype(np.float64)[facing.faces])
    coded = np.round(127.5 * (normals + 1)).astype(np.uint8)
    poses = [place(camera, facing.vertices.astype(np.float64)) for camera in AROUND]
    shots = [Shot(pose=pose, lighting=UNLIT) for pose in poses]
    backs = total = 0
    for picture in raster(size).draw(of_mesh(facing, coded), shots):
        seen = picture.color[..., 3] > 250
        outward = picture.color[seen, :3] / 127.5 - 1
        shown = picture.normals[seen] / 127.5 - 1  # turned to the camera
        backs += int(((outward * shown).sum(axis=1) < -_BACK).sum())
        total += int(seen.sum())
    return backs / max(total, 1)


@dataclass(frozen=True, kw_only=True)
class Match:
    """From where an asset looks most like a picture."""

    overlap: float  # of the outlines: intersection over union
    camera: Camera


def best_match(asset: Asset, cut: Pixels, view: str | None) -> Match:
    """Compares outlines with a cut-out picture, from the known view or from all around."""
    surface, shown, wanted = of_asset(asset), asset.vertices.astype(np.float64), outline(cut)

    def matches(cameras: Iterable[Camera]) -> list[Match]:
        """The best first."""
        tried = list(cameras)
        shots = [Shot(pose=place(camera, shown), lighting=UNLIT) for camera in tried]
        drawn = raster(_MATCHED).draw(surface, shots)
        found = [
            Match(overlap=_overlap(wanted, outline(picture.color)), camera=camera)
            for picture, camera in zip(drawn, tried, strict=True)
        ]
        return sorted(found, key=lambda match: -match.overlap)

    if view is not None:
        return matches([CANONICAL[view]])[0]
    best = matches(Camera(azimuth=float(turn), elevation=lift) for lift in _LIFTS for turn in _TURNS)
    for step in _FINER:
        near = [
            replace(
                match.camera, azimuth=match.camera.azimuth + turn, elevation=match.camera.elevation + lift
            )
            for match in best[:2]
            for turn in (-step, 0.0, step)
            for lift in (-step, 0.0, step)
        ]
        best = matches(near)
    return best[0]


def outline(cut: Pixels) -> NDArray[np.float32]:
    """(64, 64) opacity of what a picture shows, brought to the middle and to one size."""
    if not (cut[..., 3] > 12).any():
        return np.zeros((_MATCHED, _MATCHED), np.float32)
    return framed(cut, _MATCHED, FILL)[..., 3] / np.float32(255)


def _overlap(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    return float(np.minimum(one, other).sum() / max(float(np.maximum(one, other).sum()), 1e-6))
