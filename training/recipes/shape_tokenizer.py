"""The shape tokenizer at the paper's size (section 4.2; Cube3D); what neither prints is marked as ours."""

from __future__ import annotations

from dataclasses import replace

from backend.shape_tokenizer.perceiver import paper
from backend.shape_tokenizer.transport import OptimalTransport
from training.loop import LoopSettings
from training.shape_tokenizer import ShapeTokenizerRecipe


def full() -> ShapeTokenizerRecipe:
    """1,024 tokens of 16 dimensions, 16,384 codes assigned by optimal transport.

    Ours: that half of each batch is decoded from a prefix, so that a coarse whole can be shown while tokens
    arrive; the share that bypasses the codes; and the optimisation, which is that of `mini`.
    """
    return ShapeTokenizerRecipe(
        kind="perceiver",
        config=replace(paper(), tail_dropout=0.5, shortcut=0.1),
        loop=LoopSettings(
            steps=400_000,
            batch=128,
            peak_lr=1e-4,
            warmup=5000,
            weight_decay=0.05,
            clip=1.0,
            ema=0.9999,
            save_every=2000,
        ),
        points=4096,
        queries=4096,
        quantise_from=20_000,
        transport=OptimalTransport(),
    )
