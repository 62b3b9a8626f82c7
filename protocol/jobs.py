"""What a job asks for, cleaned and checked the same way before sending and on receipt."""

from __future__ import annotations

import math
import re
import unicodedata
import uuid
from dataclasses import dataclass, replace

from .errors import ProtocolError
from .limits import DEFAULT_LIMITS, Limits

# task -> how many input blobs it takes
TASKS: dict[str, int] = {"text_to_shape": 0}

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
    temperature: float | None = None  # 0 (greedy) .. 10
    top_p: float | None = None  # above 0 .. 1
    cells: int | None = None  # surface grid cells per side, 16 .. 512


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
    if not prompt:
        raise ProtocolError("empty_prompt", field="prompt")
    size = len(prompt.encode())
    if size > limits.prompt:
        raise ProtocolError(
            "too_long", f"The prompt is too long: {size} bytes of {limits.prompt} allowed.", field="prompt"
        )
    if n_blobs != TASKS[spec.task]:
        message = f"{spec.task} takes {TASKS[spec.task]} input files, not {n_blobs}."
        raise ProtocolError("bad_option", message, field="blobs")
    _check_range("seed", spec.seed, 0, 2**63 - 1)
    _check_range("guidance", spec.guidance, 0.0, 100.0)
    _check_range("temperature", spec.temperature, 0.0, 10.0)
    _check_range("top_p", spec.top_p, math.ulp(0.0), 1.0)
    _check_range("cells", spec.cells, 16, 512)
    return replace(spec, prompt=prompt)


def _check_range(field: str, value: float | None, low: float, high: float) -> None:
    if value is not None and not low <= value <= high:
        shown = "0 (excluded)" if low == math.ulp(0.0) else low
        raise ProtocolError(
            "bad_option", f"{field} must be from {shown} to {high}, not {value}.", field=field
        )
