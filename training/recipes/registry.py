"""Every recipe by preset and name, in the order in which they are trained, then variants."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from training.recipes import image_tokenizer, mini, omni123_2b, shape_tokenizer

RECIPES: dict[str, dict[str, Callable[[], Any]]] = {
    "omni123-2b": {
        "shape_tokenizer": shape_tokenizer.full,
        "image_vae": image_tokenizer.full_vae,
        "image_tokenizer": image_tokenizer.full_tokenizer,
        "pt1": omni123_2b.pt1,
        "pt2": omni123_2b.pt2,
        "ct": omni123_2b.ct,
        "sft": omni123_2b.sft,
        "edit": omni123_2b.edit,
    },
    "mini": {
        "shape_tokenizer": mini.shape_tokenizer,
        "shape_decoder": mini.shape_decoder,
        "image_vae": image_tokenizer.mini_vae,
        "image_tokenizer": image_tokenizer.mini_tokenizer,
        "pt1": mini.pt1,
        "pt2": mini.pt2,
        "ct": mini.ct,
        "sft": mini.sft,
        "edit": mini.edit,
        "shape_only": mini.shape_only,
        "sft_rehearsed": mini.sft_rehearsed,
        "edit_rehearsed": mini.edit_rehearsed,
    },
}


def recipe(preset: str, name: str) -> Any:
    """Raises ValueError with the names there are."""
    if preset not in RECIPES:
        raise ValueError(f"there is no preset {preset!r}; choose from {', '.join(RECIPES)}")
    if name not in RECIPES[preset]:
        raise ValueError(f"{preset} has no recipe {name!r}; choose from {', '.join(RECIPES[preset])}")
    return RECIPES[preset][name]()
