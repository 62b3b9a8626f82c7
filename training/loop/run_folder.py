"""What a run's folder tells others: its recipe and the weights that it exports."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from safetensors import safe_open
from torch import Tensor

from backend.shards import write_json

CHECKPOINT = "checkpoint.safetensors"


def save_recipe(folder: Path, recipe: Any) -> None:
    """`folder/recipe.json`: the run's frozen dataclass, beside the weights it makes."""
    replace_json(folder / "recipe.json", asdict(recipe))


def replace_json(path: Path, value: Mapping[str, Any]) -> None:
    """In one rename: other ranks read the files of a run folder while one writes them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".partial-{os.getpid()}")
    write_json(partial, value)
    partial.replace(path)


def saved_recipe(folder: Path) -> dict[str, Any]:
    """What `save_recipe` wrote."""
    recipe: dict[str, Any] = json.loads((folder / "recipe.json").read_text(encoding="utf-8"))
    return recipe


def averaged_weights(folder: Path) -> dict[str, Tensor]:
    """The averaged weights of a run's newest checkpoint; the trained ones where the run keeps no average.

    Raises ValueError when the run has none.
    """
    path = folder / CHECKPOINT
    if not path.exists():
        raise ValueError(f"{folder} holds no checkpoint; train first")
    with safe_open(path, framework="pt") as file:
        names = list(file.keys())
        prefix = "ema." if any(name.startswith("ema.") for name in names) else "model."
        return {name[len(prefix) :]: file.get_tensor(name) for name in names if name.startswith(prefix)}
