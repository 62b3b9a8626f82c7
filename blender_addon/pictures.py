"""Finished pictures as packed images of the file, and small ones of those still being drawn for the panel."""

from __future__ import annotations

import time
from typing import Any

import bpy
import numpy as np
from bpy.utils import previews
from numpy.typing import NDArray

from ..protocol.images import decode_pixels, image_form
from ..protocol.tasks import VIEWS
from .capture import image_pixels
from .core.jobs import Drawing, Job
from .core.naming import object_name

# Custom properties of an image: the sha256 of its file, the view it shows, the request that drew it, when
FILE, VIEW, JOB, TIME = "omni123_file", "omni123_view", "omni123_job", "omni123_time"
PREVIEW = 128  # pixels a side of an image's icon

_thumbnails: Any = None  # one of bpy.utils.previews, by job, and by image
_shown: dict[str, NDArray[np.uint8]] = {}  # job -> pixels its thumbnail was made of
_icons: set[str] = set()  # images whose icons were made


def start() -> None:
    global _thumbnails
    _thumbnails = previews.new()


def stop() -> None:
    global _thumbnails
    _shown.clear()
    _icons.clear()
    if _thumbnails is not None:
        previews.remove(_thumbnails)
        _thumbnails = None


def keep(job: Job, drawing: Drawing) -> str:
    """Makes the image and its undo step, unless the file has it already; the image's name.

    The data are checked by `check_image`.
    """
    view = (drawing.picture.view or "")[:12]
    for image in bpy.data.images:
        if image.get(FILE) == drawing.picture.image and image.get(VIEW, "") == view:
            return image.name
    name = object_name(job.title) + (f", {view}" if view else "")
    image = (
        _from_pixels(name, drawing.data)
        if image_form(drawing.data) == "raw"
        else _from_file(name, drawing.data)
    )
    image[FILE], image[VIEW], image[JOB], image[TIME] = drawing.picture.image, view, job.id, time.time()
    image.use_fake_user = True  # nothing uses it yet, and the file must keep it
    if bpy.ops.ed.undo_push.poll():
        bpy.ops.ed.undo_push(message=f"Omni123: {image.name}")
    return image.name


def latest() -> list[bpy.types.Image]:
    """The pictures of the request that drew last, in the order of the views."""
    drawn = [image for image in bpy.data.images if JOB in image]
    if not drawn:
        return []
    job = max(drawn, key=lambda image: image.get(TIME, 0.0))[JOB]
    places = {view: place for place, view in enumerate(VIEWS)}
    mine = [image for image in drawn if image[JOB] == job]
    return sorted(mine, key=lambda image: (places.get(image.get(VIEW, ""), -1), image.name))


def update_icons() -> None:
    """Of the images a panel shows; not while it draws, when nothing may be written."""
    chosen = bpy.context.scene.omni123.image
    shown = {_key(image): image for image in [*latest(), *([chosen] if chosen is not None else [])]}
    for key in _icons - shown.keys():
        if key in _thumbnails:
            del _thumbnails[key]
    new = shown.keys() - _icons
    _icons.intersection_update(shown)
    for key in new:
        _icons.add(key)  # also one without pixels: it is not tried again at every tick
        if shown[key].size[0] * shown[key].size[1]:
            pixels = image_pixels(shown[key], PREVIEW)
            _fill(_thumbnails.new(key), np.ascontiguousarray(pixels[::-1]))


def icon(image: bpy.types.Image) -> int:
    """For `template_icon`; 0: it has none, or not yet."""
    return _thumbnails[_key(image)].icon_id if _key(image) in _thumbnails else 0


def _key(image: bpy.types.Image) -> str:
    return f"image {image.session_uid}"


def _fill(thumbnail: bpy.types.ImagePreview, pixels: NDArray[np.float32]) -> None:
    """pixels: (h, w, 4), 0..1, last row first."""
    thumbnail.image_size = (pixels.shape[1], pixels.shape[0])
    thumbnail.image_pixels_float.foreach_set(pixels.ravel())


def _from_file(name: str, data: bytes) -> bpy.types.Image:
    """Blender decodes it when it is looked at."""
    image = bpy.data.images.new(name, 1, 1, alpha=True)
    image.pack(data=data, data_len=len(data))
    image.source = "FILE"
    return image


def _from_pixels(name: str, data: bytes) -> bpy.types.Image:
    pixels = decode_pixels(data)
    height, width = pixels.shape[:2]
    image = bpy.data.images.new(name, width, height, alpha=True)
    image.pixels.foreach_set(_upside_down(pixels).ravel())
    image.pack()
    return image


def update_thumbnails(jobs: list[Job]) -> None:
    """Follows the pictures that sharpen; forgets those that do not any more."""
    drawn = {job.id: job.sharpening for job in jobs if job.sharpening is not None}
    for job_id in _shown.keys() - drawn.keys():
        del _shown[job_id], _thumbnails[job_id]
    for job_id, pixels in drawn.items():
        if _shown.get(job_id) is pixels:
            continue
        thumbnail = _thumbnails[job_id] if job_id in _shown else _thumbnails.new(job_id)
        _fill(thumbnail, _upside_down(pixels))
        _shown[job_id] = pixels


def thumbnail(job: Job) -> int:
    """The icon of a job's picture so far, for `template_icon`; 0: it has none."""
    return _thumbnails[job.id].icon_id if job.id in _shown else 0


def _upside_down(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Blender's pixels: 0..1, last row first."""
    return np.ascontiguousarray(pixels[::-1], np.float32) / np.float32(255.0)
