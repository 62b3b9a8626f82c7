"""Pixel fidelity of reconstructed images: PSNR and SSIM, as in the paper's Table 9."""

from __future__ import annotations

import numpy as np
from skimage.metrics import structural_similarity
from torch import Tensor

from training.data.pictures import as_pixels

_SAME_DB = 60.0  # what identical pictures are counted as


def compare(images: Tensor, made: Tensor) -> dict[str, float]:
    """Means over pictures (B, 3, h, w) in [-1, 1], after rounding to 8 bits.

    psnr: dB over all pixels; object: dB over the original's pixels that are not white, since a white ground
    flatters; ssim: on sRGB with the 11 x 11 Gaussian window of the metric's authors.
    """
    rows = [_row(a, b) for a, b in zip(as_pixels(images), as_pixels(made), strict=True)]
    return {name: float(np.nanmean([row[name] for row in rows])) for name in rows[0]}


def _row(original: np.ndarray, made: np.ndarray) -> dict[str, float]:
    error = (original.astype(np.float64) - made) ** 2
    shown = (original < 250).any(axis=2)
    window = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    return {
        "psnr": _decibels(error.mean()),
        "object": _decibels(error[shown].mean()) if shown.any() else float("nan"),
        "ssim": float(structural_similarity(original, made, channel_axis=2, data_range=255, **window)),
    }


def _decibels(error: float) -> float:
    return min(_SAME_DB, float(10 * np.log10(255**2 / max(error, 1e-9))))
