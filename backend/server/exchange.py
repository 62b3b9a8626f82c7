"""From the wire to a Request and from events back to files: what the worker reads and writes of either."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from PIL import Image

from backend.events import Pixels, Request
from backend.geometry.mesh import Mesh
from protocol.arrays import decode_mesh, decode_tokens, encode_mesh
from protocol.errors import ProtocolError
from protocol.images import check_image, decode_pixels, encode_pixels
from protocol.jobs import JobSpec
from protocol.limits import Limits

PREVIEW_SIDE = 120  # pixels: as raw RGBA it fits into its event


def read_request(spec: JobSpec, files: Sequence[bytes], limits: Limits) -> Request:
    """`files`: one for each of the spec's inputs. Raises ProtocolError, which says what is wrong with one."""
    settings: dict[str, Any] = asdict(spec)
    kinds = settings.pop("inputs")
    images = []
    for kind, data in zip(kinds, files, strict=True):
        if kind == "mesh":
            arrays = decode_mesh(data, limits)
            settings["mesh"] = Mesh(vertices=arrays.vertices, faces=arrays.faces, colors=arrays.colors)
        elif kind == "tokens":
            settings["tokens"] = decode_tokens(data, limits)
        else:
            images.append(read_image(data, limits))
    return Request(**settings, images=tuple(images))


def read_image(data: bytes, limits: Limits) -> Pixels:
    """A PNG, WebP or raw image; its size is known to be within the limits before its pixels are decoded."""
    form = check_image(data, limits)
    if form == "raw":
        return decode_pixels(data, limits)
    try:
        with Image.open(io.BytesIO(data), formats=[form]) as image:
            # what pillow reads must be what was checked
            if image.width * image.height > limits.image_pixels:
                raise ProtocolError("bad_image", "The image's size is not what its head says.")
            return np.asarray(image.convert("RGBA"), np.uint8)
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        if isinstance(error, ProtocolError):
            raise
        raise ProtocolError("bad_image", f"The image cannot be read ({error!s:.80}).") from error


def write_mesh(mesh: Mesh) -> bytes:
    return encode_mesh(mesh.vertices, mesh.faces, mesh.colors)


def write_picture(pixels: Pixels) -> bytes:
    """A PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(pixels, "RGBA").save(buffer, "PNG", compress_level=4)
    return buffer.getvalue()


def write_preview(pixels: Pixels) -> bytes:
    """Raw pixels, at most PREVIEW_SIDE along each side."""
    image = Image.fromarray(pixels, "RGBA")
    if max(image.size) > PREVIEW_SIDE:
        image.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE), Image.Resampling.BOX)
    return encode_pixels(np.asarray(image))
