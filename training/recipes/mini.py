"""The bundled default `mini`: what two CPU cores train in about two hours (see the model card)."""

from __future__ import annotations

from dataclasses import replace

from backend.presets import MINI_SHAPE_TOKENIZER, mini
from training.loop import LoopSettings
from training.shape_tokenizer import ShapeTokenizerRecipe
from training.text_to_shape import TextToShapeRecipe


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


def text_to_shape() -> TextToShapeRecipe:
    """The paper's backbone with small numbers: 5 dual-stream and 3 single-stream layers of width 256."""
    return TextToShapeRecipe(
        config=mini().transformer,
        loop=LoopSettings(steps=3500, batch=16, peak_lr=1e-3, warmup=200, clip=1.0, ema=0.998),
    )
