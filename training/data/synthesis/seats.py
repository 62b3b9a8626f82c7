"""Who sits where, by name: `omni123:FOLDER`, `command:PROGRAM {prompt} {out}`, or `module:function`.

Names say where things are on this machine; `fingerprint` says what they are, for the names of products.
"""

from __future__ import annotations

import hashlib
import importlib
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from backend.failures import WeightsError
from training.data.steps import DataError
from training.data.synthesis.interface import ImageTo3D, Matting, TextToImage
from training.data.synthesis.matting import PlainBackground
from training.data.synthesis.programs import Program

BUNDLED = Path(__file__).resolve().parents[3] / "backend" / "weights" / "mini"
OWN = f"omni123:{BUNDLED}"
PLAIN = "plain"
Seat = Literal["pictures", "shapes"]


def text_to_image(name: str) -> TextToImage:
    """Raises DataError for a name that leads to nothing."""
    seated: TextToImage = _seated(name)
    return seated


def image_to_3d(name: str) -> ImageTo3D:
    """Raises DataError for a name that leads to nothing."""
    seated: ImageTo3D = _seated(name)
    return seated


@lru_cache(maxsize=2)
def matting(name: str) -> Matting:
    """`plain`, `birefnet:FOLDER` or `module:function`. Raises DataError."""
    kind, _, rest = name.partition(":")
    if kind == PLAIN and not rest:
        return PlainBackground()
    if kind == "birefnet":
        from training.data.synthesis.birefnet import BiRefNet

        try:
            return BiRefNet.load(Path(rest))
        except (OSError, ValueError, ImportError) as error:
            raise DataError(f"BiRefNet cannot be loaded from {rest}: {error}") from error
    found: Matting = _imported(name)
    return found


@lru_cache(maxsize=2)
def _seated(name: str) -> Any:
    """One model in both seats is loaded once a process."""
    kind, _, rest = name.partition(":")
    if kind == "command":
        return Program(command=rest)
    if kind == "omni123":
        from backend.pipeline import Pipeline
        from training.data.synthesis.own_model import OwnModel

        try:
            return OwnModel(Pipeline.load(Path(rest)))
        except WeightsError as error:
            raise DataError(str(error)) from error
    return _imported(name)


def _imported(name: str) -> Any:
    module, _, function = name.partition(":")
    try:
        return getattr(importlib.import_module(module), function)()
    except (ImportError, AttributeError, ValueError) as error:
        raise DataError(
            f"{name!r} names no model: write omni123:FOLDER, command:PROGRAM, or module:function."
        ) from error


def lacking(pictures: str, shapes: str) -> list[str]:
    """A sentence for each seat whose model cannot do its work, known without loading it."""
    from training.data.synthesis.own_model import PICTURE_TASKS, SHAPE_TASKS, model_tasks

    needed = {"pictures": PICTURE_TASKS, "shapes": SHAPE_TASKS}
    sentences = []
    seats: tuple[tuple[Seat, str], ...] = (("pictures", pictures), ("shapes", shapes))
    for seat, name in seats:
        kind, _, rest = name.partition(":")
        if kind != "omni123":
            continue
        try:
            model, tasks = model_tasks(Path(rest))
        except WeightsError as error:
            sentences.append(str(error))
            continue
        if not set(needed[seat]) & set(tasks):
            sentences.append(
                f"The model {model} cannot make the {seat}: that takes {' or '.join(needed[seat])}, "
                f"and it does {', '.join(tasks) or 'nothing with both'}."
            )
    return sentences


def fingerprint(name: str) -> str:
    """What a seat's model is, whatever folder it lies in: a hash of its files, else its name."""
    kind, _, rest = name.partition(":")
    if kind not in ("omni123", "birefnet"):
        return name
    digest = hashlib.sha256(kind.encode())
    for path in sorted(Path(rest).rglob("*")):
        if path.is_file() and path.suffix in (".json", ".safetensors", ".py"):
            digest.update(path.relative_to(rest).as_posix().encode())
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return f"{kind} {digest.hexdigest()[:24]}"
