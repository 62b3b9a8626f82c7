"""Where weights come from: `origin.json` in a stage's run folder, or what a model folder says of itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from torch import nn

from backend.tasks import TASKS
from training.data.shards.tokens import weights_hash
from training.loop import replace_json
from training.model_folder import described, is_model, module_of

NAME = "origin.json"
STAGES_OF = "training/recipes, stages "  # how the provenance of exported weights begins
FOR_EDITS = "; for edits: "  # what comes before the stages of a second transformer there


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
    """Of a run that others start from or that is exported; runs from before there were stages have none.

    Or of a model folder: what made it is one stage. Raises ValueError where that cannot be read.
    """
    if is_model(run):
        return _of_model(run)
    path = run / NAME
    if not path.is_file():
        return Origin(stages=("text_to_shape",), tasks=("text_to_shape",), tokenizers={})
    raw = json.loads(path.read_text(encoding="utf-8"))
    return Origin(**raw | {"stages": tuple(raw["stages"]), "tasks": tuple(raw["tasks"])})


def _of_model(folder: Path) -> Origin:
    """Of its first transformer, which a second one may have relieved of the edits."""
    (info, modules), suffix = described(folder), "_tokenizer"
    made = {
        name.removesuffix(suffix): weights_hash(module_of(folder, name, nn.Module))
        for name in modules
        if name.endswith(suffix)
    }
    edits = "edit_transformer" not in modules
    return Origin(
        stages=(info.provenance.removeprefix(STAGES_OF).partition(FOR_EDITS)[0],),
        tasks=tuple(task for task in info.tasks if edits or TASKS[task].stage != "edit"),
        tokenizers=made,
    )


def stages_done(run: Path) -> tuple[str, ...]:
    """All stages that a run's weights went through, each with its steps."""
    if is_model(run):
        return origin_of(run).stages
    *earlier, own = origin_of(run).stages
    step = json.loads((run / "progress.json").read_text(encoding="utf-8"))["step"]
    return (*earlier, f"{own} ({step:,} steps)")
