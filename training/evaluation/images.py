"""Pixel fidelity of reconstructed images: PSNR and SSIM, as in the paper's Table 9."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from skimage.metrics import structural_similarity
from torch import Tensor

from backend.image_tokenizer.tokenizer import QFormerTokenizer
from backend.image_tokenizer.vae import ImageVAE
from training.data.pictures import as_pixels
from training.evaluation.sheets import Panel

DEFINITIONS = {
    "psnr": "dB over all pixels of 8 bits, mean of the pictures; identical pictures count as 60",
    "object": "the same over the original's pixels below 250 alone, since a white ground flatters",
    "ssim": "structural similarity of sRGB, Gaussian window of sigma 1.5, mean of the pictures",
}
_similarity: Any = structural_similarity
_SAME_DB = 60.0
_AT_ONCE = 32  # pictures in one forward pass


def compare(images: Tensor, made: Tensor) -> dict[str, float]:
    """DEFINITIONS, of pictures (B, 3, h, w) in [-1, 1]."""
    rows = [_row(a, b) for a, b in zip(as_pixels(images), as_pixels(made), strict=True)]
    return {name: float(np.nanmean([row[name] for row in rows])) for name in rows[0]}


def vae_reconstructions(vae: ImageVAE, images: Tensor) -> Tensor:
    """What stage I alone makes of pictures."""
    return _in_parts(lambda part: vae.decode(vae.encode(part)), images)


def reconstructions(tokenizer: QFormerTokenizer, images: Tensor) -> dict[str, Tensor]:
    """What the VAE alone, all tokens, and the first half, quarter and eighth of them make of pictures."""
    ids = _in_parts(tokenizer.encode, images)
    made = {"vae": vae_reconstructions(tokenizer.vae, images)}
    for label, count in prefixes(tokenizer.config.n_tokens).items():
        made[label] = torch.cat([tokenizer.decode_prefix(part, count) for part in torch.split(ids, _AT_ONCE)])
    return made | {"codes": ids}


def report(images: Tensor, made: Mapping[str, Tensor]) -> dict[str, float]:
    """Every figure of every reconstruction, named such as tokens_psnr, and how many codes occur."""
    figures = {"codes_used": float(len(torch.unique(made["codes"])))}
    for label in made.keys() - {"codes"}:
        figures |= {f"{label}_{name}": value for name, value in compare(images, made[label]).items()}
    return dict(sorted(figures.items()))


def panels(images: Tensor, made: Mapping[str, Tensor]) -> list[Panel]:
    """One panel a picture: the original, the VAE, then from all tokens to the fewest."""
    order = [label for label in made if label != "codes"]
    rows = [as_pixels(images), *(as_pixels(made[label]) for label in order)]
    caption = ", ".join(["original", *order])
    return [Panel(caption=caption, images=tuple(pictures)) for pictures in zip(*rows, strict=True)]


def prefixes(n_tokens: int) -> dict[str, int]:
    """The parts of a row that are reported, by name."""
    return {"tokens": n_tokens} | {f"1/{part}": max(1, n_tokens // part) for part in (2, 4, 8)}


def _in_parts(work: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    with torch.no_grad():
        return torch.cat([work(part) for part in torch.split(images, _AT_ONCE)])


def _row(original: NDArray[np.uint8], made: NDArray[np.uint8]) -> dict[str, float]:
    error = (original.astype(np.float64) - made) ** 2
    shown = (original < 250).any(axis=2)
    window = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    return {
        "psnr": _decibels(error.mean()),
        "object": _decibels(error[shown].mean()) if shown.any() else float("nan"),
        "ssim": float(_similarity(original, made, channel_axis=2, data_range=255, **window)),
    }


def _decibels(error: float) -> float:
    return min(_SAME_DB, float(10 * np.log10(255**2 / max(error, 1e-9))))
