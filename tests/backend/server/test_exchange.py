"""Images are read as they were written, whatever their form, and never beyond the limits."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from backend.server.exchange import read_image, write_picture, write_preview
from protocol.errors import ProtocolError
from protocol.images import decode_pixels, encode_pixels
from protocol.limits import Limits

PIXELS = np.random.default_rng(0).integers(0, 256, (20, 30, 4), dtype=np.uint8)


def webp(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "WEBP", lossless=True, exact=True)
    return buffer.getvalue()


@pytest.mark.parametrize("write", [write_picture, encode_pixels, webp])
def test_an_image_is_read_as_it_was_written(write: object) -> None:
    assert callable(write)
    np.testing.assert_array_equal(read_image(write(PIXELS), Limits()), PIXELS)


def test_a_small_preview_keeps_its_pixels() -> None:
    np.testing.assert_array_equal(decode_pixels(write_preview(PIXELS)), PIXELS)


@pytest.mark.parametrize(
    "data",
    [
        write_picture(PIXELS)[:-30],
        write_picture(PIXELS).replace(b"IDAT", b"IDOT"),
        b"GIF89a" + bytes(100),
        write_picture(np.zeros((4000, 4000, 4), np.uint8)),
    ],
    ids=["cut short", "damaged", "another kind", "a bomb"],
)
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError) as caught:
        read_image(data, Limits(image_pixels=1 << 20))
    assert caught.value.code == "bad_image"
