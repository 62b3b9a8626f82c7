"""Checkpoints of a run: one safetensors file, whole parameters whatever they are sharded over.

Names are `model.`, `ema.` and `optimizer.` and a parameter's name; the metadata hold the step and what each
rank needs to go on (position in its data, figures not logged yet), so that one rename replaces all of it.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from training.loop.average import Averaged
from training.loop.run_folder import CHECKPOINT

if TYPE_CHECKING:
    from torch.distributed.tensor import DTensor

Ranks = list[dict[str, Any]]


@dataclass(frozen=True)
class State:
    """All that changes while a run goes on, on this rank."""

    model: nn.Module
    optimizer: Optimizer
    average: Averaged

    def tensors(self) -> dict[str, Tensor]:
        """By the names of a checkpoint, as they lie on the devices."""
        names: dict[Tensor, str] = {parameter: name for name, parameter in self.model.named_parameters()}
        tensors = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        tensors |= {f"ema.{name}": value for name, value in self.average.tensors.items()}
        for parameter, state in self.optimizer.state.items():
            for key, value in state.items():
                tensors[f"optimizer.{names[parameter]}.{key}"] = value
        return tensors


@dataclass(frozen=True)
class Restored:
    """Where a run goes on."""

    step: int = 0
    ranks: Ranks = field(default_factory=list)  # what each rank put into the checkpoint


def whole(tensor: Tensor) -> Tensor:
    """The full tensor on every rank; a collective call where it is sharded."""
    return tensor.full_tensor().detach() if _sharded(tensor) else tensor.detach()


def _sharded(tensor: Tensor) -> TypeGuard[DTensor]:
    return hasattr(tensor, "full_tensor")  # asked by name: importing DTensor takes seconds


def save(folder: Path, step: int, state: State, ranks: Ranks, *, main: bool, keep: int = 1) -> None:
    """Replace `checkpoint.safetensors` in one rename. Every rank calls; the main one writes.

    With `keep` above one, so many of the newest stay, the older ones as `checkpoint-00000500.safetensors`.
    """
    tensors: dict[str, Tensor] = {}
    for name, value in state.tensors().items():
        full = whole(value)
        if main:
            tensors[name] = full.to("cpu", copy=True).contiguous()
    if not main:
        return
    partial = folder / "checkpoint.partial"
    save_file(tensors, partial, metadata={"step": str(step), "ranks": json.dumps(ranks)})
    _flush(partial)
    partial.replace(folder / CHECKPOINT)
    _keep(folder, step, keep)


def _flush(path: Path) -> None:
    """To the disk, before the rename is: a power cut must not leave a new name on missing data."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _keep(folder: Path, step: int, count: int) -> None:
    if count > 1:
        numbered = folder / f"checkpoint-{step:08d}.safetensors"
        numbered.unlink(missing_ok=True)
        numbered.hardlink_to(folder / CHECKPOINT)
    old = sorted(folder.glob("checkpoint-*.safetensors"))
    for path in old[: max(0, len(old) - count)]:
        path.unlink()


@torch.no_grad()
def load(folder: Path, state: State) -> Restored:
    """Restore all three in place; step 0 where there is no checkpoint."""
    path = folder / CHECKPOINT
    if not path.exists():
        return Restored()
    with safe_open(path, framework="pt") as file:
        stored = set(file.keys())
        _restore_moments(state, file, stored)
        targets = state.tensors()
        if stored != targets.keys():
            odd = sorted(stored ^ targets.keys())
            raise ValueError(f"{path} is of another model: {', '.join(odd[:8])}")
        for name, value in targets.items():
            value.copy_(_alike(file.get_tensor(name), value))
        metadata = file.metadata()
    # Not from progress.json, which is written after and would lag behind a run killed between the two.
    return Restored(int(metadata["step"]), json.loads(metadata.get("ranks", "[]")))


def _restore_moments(state: State, file: Any, stored: set[str]) -> None:
    """Empty moments for every parameter that has some in the file; it had none before its first step."""
    for name, parameter in state.model.named_parameters():
        prefix = f"optimizer.{name}."
        keys = {key: prefix + key for key in ("step", "exp_avg", "exp_avg_sq") if prefix + key in stored}
        if keys:
            state.optimizer.state[parameter] = {
                key: torch.zeros((), device=parameter.device)
                if key == "step"
                else torch.zeros_like(parameter, memory_format=torch.preserve_format)
                for key in keys
            }


def _alike(full: Tensor, like: Tensor) -> Tensor:
    """This rank's part of a whole tensor that every rank has read."""
    if not _sharded(like):
        return full.to(like.device)
    from torch.distributed.tensor import distribute_tensor

    return distribute_tensor(full.to(like.device), like.device_mesh, like.placements, src_data_rank=None)
