"""Settings of the whole pipeline as one JSON file: a section per step, what differs from the defaults."""

from __future__ import annotations

import json
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import msgspec

from training.data.steps import DataError

T = TypeVar("T")


def read_settings(path: Path, kind: type[T]) -> T:
    """A `kind`, a dataclass of dataclasses. Raises DataError for what cannot be read or is not a setting."""
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
        _check_names(tree, kind, "")
        return msgspec.convert(tree, kind, strict=True)
    except FileNotFoundError as error:
        raise DataError(
            f"{path} does not exist; `omni123-train data settings` prints one to edit."
        ) from error
    except (json.JSONDecodeError, msgspec.ValidationError, ValueError) as error:
        raise DataError(f"{path} cannot be used: {error}") from error


def settings_text(settings: Any) -> str:
    """All settings of a dataclass with their values, as `read_settings` reads them."""
    return json.dumps(asdict(settings), indent=2)


def _check_names(tree: Any, kind: Any, place: str) -> None:
    """A misspelt setting must not be passed over in silence."""
    if not (is_dataclass(kind) and isinstance(tree, dict)):
        return
    hints, known = get_type_hints(kind), [field.name for field in fields(kind)]
    for name, value in tree.items():
        if name not in known:
            raise ValueError(f"{place}{name} is no setting; there are {', '.join(known)}")
        _check_names(value, hints[name], f"{place}{name}.")
