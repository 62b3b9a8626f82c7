"""The bundled default `mini`: what two CPU cores train in about two hours (see the model card)."""

from __future__ import annotations

from dataclasses import replace

from backend.presets import MINI_IMAGE_TOKENIZER, MINI_SHAPE_TOKENIZER, mini
from training.loop import LoopSettings
from training.recipes import omni123_2b, variants
from training.recipes.stages import StageRecipe
from training.shape_tokenizer import ShapeTokenizerRecipe


def shape_tokenizer() -> ShapeTokenizerRecipe:
    """216 spatial codes of 16 dimensions, 4,096 entries."""
    return ShapeTokenizerRecipe(
        config=MINI_SHAPE_TOKENIZER,
        loop=LoopSettings(
            steps=2200, batch=16, peak_lr=1.5e-3, warmup=100, weight_decay=0.05, clip=1.0, ema=0.995
        ),
        quantise_from=800,
    )


def shape_decoder() -> ShapeTokenizerRecipe:
    """The tokenizer's second stage: the decoder alone, under frozen codes."""
    first = shape_tokenizer()
    loop = replace(first.loop, steps=400, peak_lr=6e-4, warmup=20, ema=0.98, save_every=100)
    return replace(first, loop=loop, quantise_from=0)


def _small(stage: StageRecipe, *, steps: int, warmup: int = 50) -> StageRecipe:
    """A stage of the paper with small numbers, and nothing else changed (`training.recipes.sizes`)."""
    pictures = MINI_IMAGE_TOKENIZER
    small = mini(views=bool(stage.config.n_views))
    loop = replace(
        stage.loop,
        steps=steps,
        batch=16,
        peak_lr=small_lr(stage.loop.peak_lr),
        warmup=warmup,
        ema=0.998,
        save_every=250,
        evaluate_every=250,
        sheet_every=500,
    )
    return replace(
        stage,
        preset=small.name,
        config=small.transformer,
        text_encoder=small.text_encoder,
        loop=loop,
        views=(1, 6),  # so that one model takes one photo or six, and most sequences stay short
        image_pixels=pictures.vae.size,
        devices=1,
    )


def small_lr(paper: float) -> float:
    """Peak learning rate of a small stage for one of Table 6, 5e-4 to 1e-6.

    Narrow matrices take larger steps: the first stage starts from the 1e-3 that text_to_shape was trained
    with at width 256. Later stages of the paper have 1e5 steps to move the weights in, a small one has some
    hundred, so its rate falls with the eighth root of the paper's: the order stays, the last still learn.
    """
    return float(f"{1e-3 * (paper / 5e-4) ** 0.125:.1e}")


def pt1() -> StageRecipe:
    """The four tasks of pre-training."""
    return _small(omni123_2b.pt1(), steps=2500, warmup=100)


def pt2() -> StageRecipe:
    """Goes on at a lower rate; the one image tokenizer of `mini` has no second resolution."""
    return _small(omni123_2b.pt2(), steps=200)


def ct() -> StageRecipe:
    """View tokens."""
    return _small(omni123_2b.ct(), steps=1000)


def sft() -> StageRecipe:
    """Chains of images and shapes."""
    return _small(omni123_2b.sft(), steps=800)


def edit() -> StageRecipe:
    """Instructions.

    At the first stage's rate: to copy one shape into another is new to the model, and some hundred steps do
    not teach it at less.
    """
    stage = _small(omni123_2b.edit(), steps=4300, warmup=100)
    return replace(stage, loop=replace(stage.loop, peak_lr=pt1().loop.peak_lr))


def shape_only() -> StageRecipe:
    """text_to_shape alone, without a picture: the baseline without 2D, and a start for `pt1`."""
    first = variants.shape_only(pt1())
    return replace(first, loop=replace(first.loop, steps=3500, warmup=200))


def sft_rehearsed() -> StageRecipe:
    """`sft` that keeps the tasks of `ct`, for one model that does everything."""
    return variants.rehearsing(sft(), ct(), share=0.4)


def edit_rehearsed() -> StageRecipe:
    """`edit` that keeps all tasks before it, for one model that does everything."""
    return variants.rehearsing(edit(), ct(), sft(), share=0.35)
