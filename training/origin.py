"""`origin.json` in a stage's run folder: the stages before it, what was trained, which tokenizers' tokens."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from training.loop import replace_json

NAME = "origin.json"


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where a run's weights come from."""

    stages: tuple[str, ...]  # earlier ones with their steps, then this run's own
    tasks: tuple[str, ...]  # that one of the stages has trained on data
    tokenizers: Mapping[str, str]  # hash of the weights of each modality's
    data: str = ""  # fingerprint of what this run reads

    def save(self, run: Path) -> None:
        replace_json(run / NAME, asdict(self))


def origin_of(run: Path) -> Origin:
    """Of a run that others start from or that is exported; runs from before there were stages have none."""
    path = run / NAME
    if not path.is_file():
        return Origin(stages=("text_to_shape",), tasks=("text_to_shape",), tokenizers={})
    raw = json.loads(path.read_text(encoding="utf-8"))
    return Origin(**raw | {"stages": tuple(raw["stages"]), "tasks": tuple(raw["tasks"])})


def stages_done(run: Path) -> tuple[str, ...]:
    """All stages that a run's weights went through, each with its steps."""
    *earlier, own = origin_of(run).stages
    step = json.loads((run / "progress.json").read_text(encoding="utf-8"))["step"]
    return (*earlier, f"{own} ({step:,} steps)")
