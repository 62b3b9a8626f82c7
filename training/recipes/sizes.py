"""Which fields of a recipe are sizes: what a small recipe changes and still is the same recipe.

Fields go by their own name, wherever in a recipe they stand.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

SIZES = frozenset(
    {
        # layers, widths and heads
        *("n_dual", "n_single", "width", "n_heads", "n_layers", "n_encoder_layers", "n_decoder_layers"),
        *("align_layer", "shallow", "n_registers", "stem_width", "fine_width", "n_fine"),
        *("latent_dim", "texture_dim", "semantic_dim", "size"),
        # codes and how many of them a sample has; an encoder's widths and tokens
        *("n_shape_codes", "shape_code_dim", "n_shape_tokens"),
        *("n_image_codes", "image_code_dim", "n_image_tokens"),
        *("n_codes", "code_dim", "n_tokens", "text", "views", "image_pixels", "points", "queries"),
        # length and breadth of a run, and what scales with them: a narrow model takes larger steps, a short
        # run averages its weights over fewer of them
        *("steps", "batch", "warmup", "peak_lr", "ema", "quantise_from", "devices"),
        # how often a run of that length reports
        *("save_every", "evaluate_every", "sheet_every"),
    }
)
# What is no number of the recipe's but follows from the small sizes, each with its reason.
PARTS = {
    "preset": "names the sizes",
    "text_encoder": "one of 22 M parameters reads the prompt",
    "causal_text": "as its encoder is: CLIP and Qwen3 read from left to right, MiniLM both ways",
    "embed_codes": "free rows for each code, or fewer parameters: the tokenizer's codebook projected",
}
# The same for tokenizers, whose optimisation the paper does not print.
TOKENIZER_PARTS = {
    "pretrained": "DINOv3-L is 300 M parameters; the small encoder learns from scratch",
    "kind": "of encoder, for the same reason; of the shape tokenizer, see below",
    "kind_weight": "an encoder from scratch has no semantics unless it names the object's kind",
    "recolor": "a few thousand objects have few colours",
}
# The shape tokenizer of `mini` is another architecture, codes on a grid, because a small Perceiver learns
# nothing in CPU hours (backend/weights/mini/README.md). These two recipes share a loss and an optimiser.
OTHER_ARCHITECTURE = "shape_tokenizer"


def flat(fields: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested fields under dotted names; pools, whose names are data, stay whole."""
    found: dict[str, Any] = {}
    for name, value in fields.items():
        if isinstance(value, Mapping) and name != "pools":
            found |= flat(value, f"{prefix}{name}.")
        else:
            found[prefix + name] = value
    return found


def differences(large: Any, small: Any) -> dict[str, tuple[Any, Any]]:
    """Fields that differ between two recipes, by dotted name; None where one has no such field."""
    a, b = flat(asdict(large)), flat(asdict(small))
    return {name: (a.get(name), b.get(name)) for name in a | b if a.get(name) != b.get(name)}


def beyond_sizes(large: Any, small: Any) -> set[str]:
    """Names of the fields that differ and are no sizes."""
    return {name.rpartition(".")[2] for name in differences(large, small)} - SIZES
