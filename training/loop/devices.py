"""The devices of a run, through accelerate: one, data-parallel (DDP), or sharded (FSDP).

Launch several with `accelerate launch --num_processes N -m training.cli train ...`.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import (
    FullyShardedDataParallelPlugin,
    InitProcessGroupKwargs,
    gather_object,
)
from PIL import Image
from torch import Tensor, nn
from torch.optim import Optimizer

from training.loop.average import Averaged
from training.loop.checkpoint import whole
from training.loop.gradients import touch_all
from training.loop.settings import Machine
from training.loop.task import TrainingTask

# Others wait for the main rank while it evaluates and draws sheets.
_PATIENCE = timedelta(hours=2)


class Devices:
    """Where a run computes, and what its ranks tell each other."""

    def __init__(self, machine: Machine, folder: Path, task: TrainingTask) -> None:
        self.machine = machine
        self._blocks: tuple[type[nn.Module], ...] = tuple(getattr(task, "blocks", ()))
        self.accelerator = Accelerator(
            cpu=not torch.cuda.is_available(),
            log_with=list(machine.trackers) or None,
            project_dir=str(folder),
            fsdp_plugin=self._sharding() if machine.fsdp else None,
            kwargs_handlers=[InitProcessGroupKwargs(timeout=_PATIENCE)],
        )
        self.main: bool = self.accelerator.is_main_process
        self.rank: int = self.accelerator.process_index
        self.world: int = self.accelerator.num_processes
        self.device: torch.device = self.accelerator.device
        self._plain: nn.Module | None = None  # of a sharded model, whole, for evaluations by the main rank

    def _sharding(self) -> FullyShardedDataParallelPlugin:
        if not self._blocks:
            raise ValueError("this task's model is trained whole on each device; run it without fsdp")
        from torch.distributed.fsdp import MixedPrecisionPolicy  # a second to import

        reduced = torch.bfloat16 if self.machine.precision == "bf16" else None
        return FullyShardedDataParallelPlugin(
            fsdp_version=2,
            auto_wrap_policy="transformer_based_wrap",
            transformer_cls_names_to_wrap=[block.__name__ for block in self._blocks],
            cpu_ram_efficient_loading=False,
            # Gradients are reduced in float32: sums over hundreds of ranks lose too much in bf16.
            mixed_precision_policy=MixedPrecisionPolicy(param_dtype=reduced, reduce_dtype=torch.float32),
        )

    def prepare(self, model: nn.Module, optimizer: Optimizer) -> nn.Module:
        """The model to call. `model` itself keeps the names and, in place, the values of its parameters."""
        if self.machine.fsdp and self.main:
            self._plain = copy.deepcopy(model)
        for module in model.modules():
            if self.machine.checkpoint_activations and hasattr(module, "checkpoint_activations"):
                vars(module)["checkpoint_activations"] = True  # a plain flag of the class that has it
        if self.machine.compile:
            self._compile(model)
        if self.world > 1:
            touch_all(model)
        if not self.machine.fsdp:
            alone: nn.Module = self.accelerator.prepare_model(model)
            return alone
        wrapped: nn.Module = self.accelerator.prepare(model, optimizer)[0]
        return wrapped

    def _compile(self, model: nn.Module) -> None:
        """Repeated layers one by one: they are compiled once for all, and names stay as they are."""
        blocks = [module for module in model.modules() if isinstance(module, self._blocks)]
        for module in blocks or [model]:
            module.compile()

    def autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.machine.precision == "bf16")

    def passing(self, model: nn.Module, *, last: bool) -> AbstractContextManager[Any]:
        """Around forward and backward of a micro-batch: ranks exchange gradients at the last one alone."""
        return nullcontext() if last or self.world == 1 else self.accelerator.no_sync(model)

    def gathered(self, value: Any) -> list[Any]:
        """One value of each rank, on every rank."""
        return list(gather_object([value]))

    def any(self, flag: bool) -> bool:
        """Whether one rank at least says so, on every rank."""
        return self.most(int(flag)) > 0

    def most(self, count: int) -> int:
        """The largest of the ranks' counts, on every rank."""
        if self.world == 1:
            return count
        counts: Tensor = self.accelerator.gather(torch.tensor([count], device=self.device))
        return int(counts.max())

    @contextmanager
    def averaged(self, model: nn.Module, average: Averaged) -> Iterator[nn.Module | None]:
        """The averaged model in evaluation mode on the main rank, None on others, which wait here."""
        if self.machine.fsdp:
            weights = {name: whole(value) for name, value in (average.tensors or model.state_dict()).items()}
            if self._plain is not None:
                self._plain.load_state_dict(weights)
            del weights
            yield None if self._plain is None else self._plain.eval().to(self.device)
            if self._plain is not None:
                self._plain.cpu()
        elif self.main:
            with average.in_place(model) as held:
                yield held
        else:
            yield None
        self.accelerator.wait_for_everyone()

    def show(self, name: str, picture: Image.Image, step: int) -> None:
        """To the trackers that take pictures."""
        if self.accelerator.trackers:
            pixels = np.asarray(picture.convert("RGB"))[None]
            for tracker in self.accelerator.trackers:
                layout = {"dataformats": "NHWC"} if tracker.name == "tensorboard" else {}
                if hasattr(tracker, "log_images"):
                    tracker.log_images({name: pixels}, step=step, **layout)
