"""Pictures on the wire: PNG or WebP files, or raw pixels as safetensors; sizes are read before pixels are.

Needs numpy and safetensors. Nothing here decodes PNG or WebP: the backend has pillow, Blender itself.
"""

from __future__ import annotations

import struct
from typing import Literal, NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray
from safetensors import numpy as safetensors_numpy

from .arrays import load_arrays
from .errors import ProtocolError
from .framing import Buffer
from .limits import DEFAULT_LIMITS, Limits

Form = Literal["png", "webp", "raw"]
PNG = b"\x89PNG\r\n\x1a\n"
HEAD = 32  # bytes that tell the form and the size of a PNG or WebP file


def encode_pixels(pixels: ArrayLike, limits: Limits = DEFAULT_LIMITS) -> bytes:
    """pixels: (height, width, 4) uint8 sRGB with alpha, first row on top. Raises ProtocolError."""
    values = np.ascontiguousarray(pixels)
    _check_pixels(values, limits)
    return safetensors_numpy.save({"pixels": values})


def decode_pixels(data: Buffer, limits: Limits = DEFAULT_LIMITS) -> NDArray[np.uint8]:
    """(height, width, 4) uint8 of a raw image. Raises ProtocolError("bad_image")."""
    _check_length(data, limits)
    pixels = load_arrays(data, "bad_image", limits).get("pixels")
    if pixels is None:
        _refuse("The image has no pixels.")
    _check_pixels(pixels, limits)
    return pixels


def image_form(data: Buffer) -> Form:
    """What the first bytes say it is; "raw" still has to be decoded to be believed."""
    head = bytes(data[:HEAD])
    if head.startswith(PNG):
        return "png"
    return "webp" if head[:4] == b"RIFF" and head[8:12] == b"WEBP" else "raw"


def check_image(data: Buffer, limits: Limits = DEFAULT_LIMITS) -> Form:
    """The form of an image within the limits, whose pixels nobody has to decode for that.

    Raises ProtocolError("bad_image").
    """
    _check_length(data, limits)
    form = image_form(data)
    if form == "raw":
        decode_pixels(data, limits)
    else:
        head = bytes(data[:HEAD])
        try:
            width, height = _png_size(head) if form == "png" else _webp_size(head)
        except struct.error as error:
            raise ProtocolError("bad_image", "The image is cut short.") from error
        _check_size(width, height, limits)
    return form


def _png_size(head: bytes) -> tuple[int, int]:
    if head[12:16] != b"IHDR":
        _refuse("The image is no PNG file.")
    width, height = struct.unpack_from(">II", head, 16)
    return width, height


def _webp_size(head: bytes) -> tuple[int, int]:
    """Of the first chunk: extended, lossless or lossy (RFC 9649)."""
    chunk = head[12:16]
    if chunk == b"VP8X":
        low, high, wide, tall = struct.unpack_from("<HBHB", head, 24)
        return (low | high << 16) + 1, (wide | tall << 16) + 1
    if chunk == b"VP8L":
        (bits,) = struct.unpack_from("<I", head, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if chunk == b"VP8 ":
        width, height = struct.unpack_from("<HH", head, 26)
        return width & 0x3FFF, height & 0x3FFF
    _refuse("The image is no WebP file.")


def _check_pixels(pixels: NDArray[np.generic], limits: Limits) -> None:
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 4:
        _refuse("The image's pixels are not (height, width, 4) uint8.")
    _check_size(pixels.shape[1], pixels.shape[0], limits)


def _check_length(data: Buffer, limits: Limits) -> None:
    if len(data) > limits.image:
        _refuse(f"The image has {len(data)} bytes of {limits.image} allowed.")


def _check_size(width: int, height: int, limits: Limits) -> None:
    if width < 1 or height < 1:
        _refuse("The image is empty.")
    if width * height > limits.image_pixels:
        _refuse(f"The image has {width * height} pixels of {limits.image_pixels} allowed.")


def _refuse(message: str) -> NoReturn:
    raise ProtocolError("bad_image", message)
