"""What a job asks for, cleaned and checked the same way before sending and on receipt."""

from __future__ import annotations

import math
import re
import unicodedata
import uuid
from dataclasses import dataclass, replace
from typing import Any

from .errors import ProtocolError
from .limits import DEFAULT_LIMITS, Limits
from .tasks import TASKS, InputKind, check_inputs, check_views

# setting -> the least and the greatest it may be
RANGES: dict[str, tuple[float, float]] = {
    "guidance": (0.0, 100.0),
    "source_guidance": (0.0, 100.0),
    "temperature": (0.0, 10.0),
    "top_p": (math.ulp(0.0), 1.0),
    "cells": (16, 512),
    "faces": (4, 5_000_000),
    "smoothing": (0.0, 1.0),
}
LONGEST_BOX = 1e6

JOB_ID = re.compile(r"[0-9a-f]{32}")
# Directional marks, embeddings, overrides and isolates: they can make a prompt read as what it is not.
BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@dataclass(frozen=True, kw_only=True)
class JobSpec:
    """One request. A setting left None is the model's own default."""

    task: str = "text_to_shape"
    prompt: str = ""
    seed: int = 0  # 0 .. 2**63 - 1
    guidance: float | None = None  # 0 .. 100
    source_guidance: float | None = None  # 0 .. 100
    temperature: float | None = None  # 0 (greedy) .. 10
    top_p: float | None = None  # above 0 .. 1
    cells: int | None = None  # surface grid cells per side, 16 .. 512
    faces: int | None = None  # simplify to about this many, 4 .. 5,000,000
    smoothing: float | None = None  # 0 .. 1
    watertight: bool = False
    color: bool = False  # the mesh comes with colours of its vertices
    box: tuple[float, ...] | None = None  # three sides along x, y, z, in any unit; above 0 .. 1e6
    views: tuple[str, ...] = ()  # wanted, in order
    image_views: tuple[str, ...] = ()  # what each source image shows
    inputs: tuple[InputKind, ...] = ()  # what each of the job's files is


def new_job_id() -> str:
    return uuid.uuid4().hex


def clean_prompt(text: str) -> str:
    """NFC on one line, without control, bidirectional-override and lone surrogate characters."""
    kept = []
    for character in unicodedata.normalize("NFC", text):
        if character.isspace():
            kept.append(" ")
        elif unicodedata.category(character) not in ("Cc", "Cs") and character not in BIDI:
            kept.append(character)
    return " ".join("".join(kept).split())


def checked_spec(spec: JobSpec, n_blobs: int = 0, limits: Limits = DEFAULT_LIMITS) -> JobSpec:
    """`spec` with its prompt cleaned. Raises ProtocolError naming the field at fault."""
    if spec.task not in TASKS:
        raise ProtocolError(
            "unknown_task", f"The backend does not know the task {spec.task!r:.60}.", field="task"
        )
    prompt = clean_prompt(spec.prompt)
    if not prompt and TASKS[spec.task].words:
        raise ProtocolError("empty_prompt", field="prompt")
    size = len(prompt.encode())
    if size > limits.prompt:
        raise ProtocolError(
            "too_long", f"The prompt is too long: {size} bytes of {limits.prompt} allowed.", field="prompt"
        )
    check_inputs(spec.task, spec.inputs, n_blobs)
    check_views(spec.task, spec.inputs.count("image"), spec.image_views, spec.views)
    _check_range("seed", spec.seed, 0, 2**63 - 1)
    for field, (low, high) in RANGES.items():
        _check_range(field, getattr(spec, field), low, high)
    _check_box(spec.box)
    return replace(spec, prompt=prompt)


def check_offered(spec: JobSpec, model: str, capabilities: dict[str, Any]) -> None:
    """Whether a model does this, as far as its capabilities tell. Raises ProtocolError."""
    tasks = capabilities.get("tasks")
    if not isinstance(tasks, (list, tuple)):  # it is not known yet
        return
    if spec.task not in tasks:
        offered = ", ".join(str(task) for task in tasks)
        raise ProtocolError(
            "unknown_task",
            f"The model {model} cannot do {spec.task}.",
            hint=f"It does: {offered}.",
            field="task",
        )
    if spec.box is not None and capabilities.get("box") is not True:
        raise ProtocolError(
            "bad_option", f"The model {model} cannot fill a box.", hint="Leave the box out.", field="box"
        )
    if spec.color and capabilities.get("color") is not True:
        raise ProtocolError(
            "bad_option",
            f"The model {model} cannot colour shapes.",
            hint="Ask without colour.",
            field="color",
        )


def _check_range(field: str, value: float | None, low: float, high: float) -> None:
    if value is not None and not low <= value <= high:
        shown = "0 (excluded)" if low == math.ulp(0.0) else low
        raise ProtocolError(
            "bad_option", f"{field} must be from {shown} to {high}, not {value}.", field=field
        )


def _check_box(box: tuple[float, ...] | None) -> None:
    if box is not None and (len(box) != 3 or not all(0.0 < side <= LONGEST_BOX for side in box)):
        raise ProtocolError("bad_option", "A box has three sides, each longer than nothing.", field="box")
