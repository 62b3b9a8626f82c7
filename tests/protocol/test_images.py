"""Pictures: sizes are known and limited before a pixel is decoded."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from safetensors import numpy as safetensors_numpy

from protocol.errors import ProtocolError
from protocol.images import check_image, decode_pixels, encode_pixels, image_form
from protocol.limits import Limits

PIXELS = np.random.default_rng(0).integers(0, 256, (3, 5, 4), dtype=np.uint8)
LIMITS = Limits(image_pixels=5 * 3)


def file(kind: str, width: int = 5, height: int = 3, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGBA" if options.pop("alpha", True) else "RGB", (width, height), "red").save(
        buffer, kind, **options
    )
    return buffer.getvalue()


FILES = {
    "png": file("PNG"),
    "webp, lossless": file("WEBP", lossless=True, alpha=False),
    "webp, lossy": file("WEBP", alpha=False),
    "webp, extended": file("WEBP", exif=b"Exif\0\0"),
}


def test_raw_pixels_round_trip() -> None:
    np.testing.assert_array_equal(decode_pixels(encode_pixels(PIXELS)), PIXELS)
    assert check_image(encode_pixels(PIXELS)) == "raw"


@pytest.mark.parametrize("name", FILES)
def test_the_form_and_size_of_a_file_are_read_from_its_head(name: str) -> None:
    assert check_image(FILES[name], LIMITS) == image_form(FILES[name]) == name.split(",")[0]
    with pytest.raises(ProtocolError, match="15 pixels of 14 allowed"):
        check_image(FILES[name], Limits(image_pixels=14))


@pytest.mark.parametrize("name", FILES)
def test_a_file_cut_short_is_refused(name: str) -> None:
    for keep in (9, 13, 17, 22):
        with pytest.raises(ProtocolError) as caught:
            check_image(FILES[name][:keep])
        assert caught.value.code == "bad_image"


@pytest.mark.parametrize(
    ("pixels", "sentence"),
    [
        (PIXELS[..., :3], "not \\(height, width, 4\\) uint8"),
        (PIXELS.astype(np.float32), "not \\(height, width, 4\\) uint8"),
        (PIXELS[:0], "empty"),
        (np.zeros((4, 5, 4), np.uint8), "20 pixels of 15 allowed"),
    ],
)
def test_bad_pixels_are_refused(pixels: np.ndarray, sentence: str) -> None:
    for refuse in (
        lambda: encode_pixels(pixels, LIMITS),
        lambda: decode_pixels(safetensors_numpy.save({"pixels": np.ascontiguousarray(pixels)}), LIMITS),
    ):
        with pytest.raises(ProtocolError, match=sentence):
            refuse()


def test_bytes_are_limited_before_anything_is_read() -> None:
    for check in (check_image, decode_pixels):
        with pytest.raises(ProtocolError, match="11 bytes of 10 allowed"):
            check(bytes(11), Limits(image=10))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=80), st.sampled_from([b"", FILES["png"][:16], FILES["webp, lossy"][:16]]))
def test_garbage_is_an_image_or_a_protocol_error(junk: bytes, head: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        check_image(head + junk)
