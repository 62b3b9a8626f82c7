"""The image tokenizer as the paper trains it (section 4.3), and the small one of `mini`."""

from __future__ import annotations

from dataclasses import replace

from backend.image_tokenizer.encoder import EncoderConfig
from backend.image_tokenizer.tokenizer import QFormerTokenizerConfig
from backend.image_tokenizer.vae import ImageVAEConfig
from training.image_tokenizer import ImageTokenizerRecipe, ImageVAERecipe
from training.loop import LoopSettings

DINOV3_L = "facebook/dinov3-vitl16-pretrain-lvd1689m"


def full_vae(size: int = 512) -> ImageVAERecipe:
    """Stage I on ImageNet at 256 and 512 pixels: DINOv3-L, 832 dimensions. The paper prints no schedule."""
    loop = LoopSettings(steps=400_000, batch=256, peak_lr=1e-4, warmup=5000, ema=0.9999, save_every=2000)
    return ImageVAERecipe(config=ImageVAEConfig(size=size), loop=loop, pretrained=DINOV3_L, recolor=0.0)


def full_tokenizer(size: int = 512) -> ImageTokenizerRecipe:
    """Stage II: 64K codes of 64 dimensions; 1,024 queries at 512 pixels, 256 at 256 (stage pt1 of Table 6).

    The paper's data set is 60 M images; two passes over it are our choice.
    """
    config = QFormerTokenizerConfig(vae=ImageVAEConfig(size=size), n_tokens=(size // 16) ** 2)
    loop = LoopSettings(steps=240_000, batch=512, peak_lr=1e-4, warmup=5000, ema=0.9999, save_every=2000)
    return ImageTokenizerRecipe(config=config, loop=loop, quantise_from=5000, recolor=0.0)


def mini_vae() -> ImageVAERecipe:
    """128 pixels, 8 x 8 latents of 64 dimensions, an encoder of three layers learned from scratch."""
    encoder = EncoderConfig(
        kind="small", width=160, n_layers=3, n_heads=5, n_registers=0, stem_width=64, shallow=(0,)
    )
    config = ImageVAEConfig(
        size=128,
        latent_dim=64,
        encoder=encoder,
        texture_dim=128,
        semantic_dim=64,
        width=160,
        n_layers=3,
        n_heads=5,
        fine_width=64,
        n_fine=2,
    )
    loop = LoopSettings(
        steps=8000,
        batch=16,
        peak_lr=2e-3,
        warmup=100,
        betas=(0.9, 0.95),
        weight_decay=0.05,
        clip=1.0,
        ema=0.998,
        save_every=250,
    )
    return ImageVAERecipe(config=config, loop=loop, kind_weight=0.02)


def mini_tokenizer() -> ImageTokenizerRecipe:
    """64 tokens, 4,096 codes of 16 dimensions."""
    config = QFormerTokenizerConfig(
        vae=mini_vae().config,
        n_tokens=64,
        n_codes=4096,
        code_dim=16,
        width=160,
        n_heads=5,
        n_encoder_layers=2,
        n_decoder_layers=4,
        align_layer=2,
    )
    loop = replace(mini_vae().loop, steps=16_000)
    return ImageTokenizerRecipe(config=config, loop=loop, quantise_from=2000)
