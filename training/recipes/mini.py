"""The bundled default `mini`: what two CPU cores train in about two hours (see the model card)."""

from __future__ import annotations

from dataclasses import replace

from backend.model.config import TextInput, TransformerConfig
from backend.shape_tokenizer.grid import GridShapeTokenizerConfig
from training.loop import LoopSettings
from training.shape_tokenizer import ShapeTokenizerRecipe
from training.text_to_shape import TextToShapeRecipe


def shape_tokenizer() -> ShapeTokenizerRecipe:
    """216 spatial codes of 16 dimensions, 4,096 entries."""
    return ShapeTokenizerRecipe(
        config=GridShapeTokenizerConfig(token_grid=6, width=160, mid_width=64, field_width=32, n_heads=5),
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
    tokenizer = shape_tokenizer().config
    return TextToShapeRecipe(
        config=TransformerConfig(
            n_dual=5,
            n_single=3,
            width=256,
            n_heads=4,
            token_dropout=0.1,
            n_shape_codes=tokenizer.n_codes,
            shape_code_dim=tokenizer.code_dim,
            n_shape_tokens=tokenizer.n_tokens,
            text=(TextInput(width=384, tokens=32),),
            causal_text=False,
        ),
        loop=LoopSettings(steps=3500, batch=16, peak_lr=1e-3, warmup=200, clip=1.0, ema=0.998),
    )
