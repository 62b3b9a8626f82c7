"""Model folders where the folder of a run is asked for: training goes on from weights as they were exported.

Weights come back in float32, as near to the trained ones as the folder stores them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from torch import nn

from backend import checkpoint
from backend.checkpoint import CONFIG, ModelInfo
from backend.failures import WeightsError
from backend.model.quantized import restore_linears
from backend.models import REGISTRIES

M = TypeVar("M", bound=nn.Module)


def is_model(folder: Path) -> bool:
    return (folder / CONFIG).is_file()


def described(folder: Path) -> tuple[ModelInfo, dict[str, tuple[str, dict[str, Any]]]]:
    """As `checkpoint.read_config`. Raises ValueError where the folder cannot be read."""
    try:
        return checkpoint.read_config(folder)
    except WeightsError as error:
        raise ValueError(str(error)) from error


def module_of(folder: Path, name: str, kind: type[M]) -> M:
    """A module of a model folder, of a class, ready for inference. Raises ValueError where it has no such."""
    try:
        module = checkpoint.load(folder, REGISTRIES, only=[name]).modules[name]
    except WeightsError as error:
        raise ValueError(str(error)) from error
    if not isinstance(module, kind):
        raise ValueError(f"the {name} of {folder} is a {type(module).__name__}, not a {kind.__name__}")
    restore_linears(module)
    return module.float().eval()
