"""The image tokenizer as the paper trains it (section 4.3), and the small one of `mini`."""

from __future__ import annotations

from dataclasses import replace

from backend.image_tokenizer.tokenizer import QFormerTokenizerConfig
from backend.image_tokenizer.vae import ImageVAEConfig
from backend.presets import MINI_IMAGE_TOKENIZER, MINI_IMAGE_VAE
from training.image_tokenizer import ImageTokenizerRecipe, ImageVAERecipe
from training.loop import LoopSettings

DINOV3_L = "facebook/dinov3-vitl16-pretrain-lvd1689m"


def _loop(
    *, steps: int, batch: int, peak_lr: float, warmup: int, ema: float, save_every: int
) -> LoopSettings:
    """The optimiser of both stages at every size; the paper prints none."""
    return LoopSettings(
        steps=steps,
        batch=batch,
        peak_lr=peak_lr,
        warmup=warmup,
        betas=(0.9, 0.95),
        weight_decay=0.05,
        clip=1.0,
        ema=ema,
        save_every=save_every,
    )


def full_vae(size: int = 512) -> ImageVAERecipe:
    """Stage I on ImageNet at 256 and 512 pixels: DINOv3-L, 832 dimensions. The paper prints no schedule."""
    loop = _loop(steps=400_000, batch=256, peak_lr=1e-4, warmup=5000, ema=0.9999, save_every=2000)
    return ImageVAERecipe(config=ImageVAEConfig(size=size), loop=loop, pretrained=DINOV3_L, recolor=0.0)


def full_tokenizer(size: int = 512) -> ImageTokenizerRecipe:
    """Stage II: 64K codes of 64 dimensions; 1,024 queries at 512 pixels, 256 at 256 (stage pt1 of Table 6).

    The paper's data set is 60 M images; two passes over it are our choice.
    """
    config = QFormerTokenizerConfig(vae=ImageVAEConfig(size=size), n_tokens=(size // 16) ** 2)
    loop = _loop(steps=240_000, batch=512, peak_lr=1e-4, warmup=5000, ema=0.9999, save_every=2000)
    return ImageTokenizerRecipe(config=config, loop=loop, quantise_from=5000, recolor=0.0)


def mini_vae() -> ImageVAERecipe:
    """The small encoder, which learns its semantics here."""
    loop = _loop(steps=8000, batch=16, peak_lr=2e-3, warmup=100, ema=0.998, save_every=250)
    return ImageVAERecipe(config=MINI_IMAGE_VAE, loop=loop, kind_weight=0.02)


def mini_tokenizer() -> ImageTokenizerRecipe:
    """64 tokens, 512 codes of 16 dimensions: 4,096 give 1 dB more, but a small transformer guesses them."""
    loop = replace(mini_vae().loop, steps=8000)
    return ImageTokenizerRecipe(config=MINI_IMAGE_TOKENIZER, loop=loop, quantise_from=1000)
