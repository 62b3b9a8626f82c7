"""The bundled default `mini`: what two CPU cores train in about two hours (see the model card)."""

from __future__ import annotations

from backend.shape_tokenizer.grid import GridShapeTokenizerConfig
from training.loop import LoopSettings
from training.shape_tokenizer import ShapeTokenizerRecipe


def shape_tokenizer() -> ShapeTokenizerRecipe:
    """216 spatial codes of 16 dimensions, 4,096 entries."""
    return ShapeTokenizerRecipe(
        config=GridShapeTokenizerConfig(token_grid=6, width=160, mid_width=64, field_width=32, n_heads=5),
        loop=LoopSettings(steps=2200, batch=16, peak_lr=1.5e-3, warmup=100, weight_decay=0.05, clip=1.0, ema=0.995),
        quantise_from=800,
    )
