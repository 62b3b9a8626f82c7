"""The training loop: one task, any number of devices through accelerate, resumable to the bit.

Every random draw is a function of (seed, step, rank), and the data's position is part of the checkpoint, so a
resumed run repeats nothing and misses nothing.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import send_to_device

from training.evaluation.sheets import save as save_sheet
from training.evaluation.sheets import sheet as drawn_sheet
from training.loop import checkpoint
from training.loop.average import Averaged
from training.loop.devices import Devices
from training.loop.gradients import clip
from training.loop.metrics import MetricsFile, Pace, Sums, averages, line, merged
from training.loop.run_folder import replace_json
from training.loop.settings import LoopSettings, Machine
from training.loop.speed import matrix_speed
from training.loop.stopping import Stopping
from training.loop.task import TrainingTask

_Batch = tuple[Sequence[Any], dict[str, Any]]  # parts, and the data's state after them


def train(
    task: TrainingTask,
    settings: LoopSettings,
    folder: Path,
    machine: Machine | None = None,
    *,
    stop_after: int | None = None,
    quiet: bool = False,
) -> int:
    """Train from the newest checkpoint in `folder` to the last step, or to `stop_after`.

    Returns the step it came to: less than that where a signal asked it to stop, after a checkpoint.
    """
    folder.mkdir(parents=True, exist_ok=True)
    run = _Run(task, settings, folder, machine or Machine(), quiet)
    return run.to(min(settings.steps, stop_after or settings.steps))


class _Run:
    """A run under way."""

    def __init__(
        self, task: TrainingTask, settings: LoopSettings, folder: Path, machine: Machine, quiet: bool
    ) -> None:
        self.task, self.settings, self.folder, self.quiet = task, settings, folder, quiet
        self.devices = Devices(machine, folder, task)
        optimizer = _optimizer(task, settings)
        self.model = self.devices.prepare(task.model, optimizer)
        self.state = checkpoint.State(task.model, optimizer, Averaged(task.model, settings.ema))
        self.start = self._restore()
        self.step = self.saved = self.start
        self.data_state: dict[str, Any] = {}
        self.ahead: Future[_Batch] | None = None
        self.file = MetricsFile(folder, self.start) if self.devices.main else None
        self.pace = Pace(*self._arithmetic())
        self._track()

    def _restore(self) -> int:
        """Go on from the newest checkpoint, on as many devices as saved it or on others."""
        restored, devices = checkpoint.load(self.folder, self.state), self.devices
        ranks, self.sums = restored.ranks, Sums()
        if len(ranks) == devices.world:
            own = ranks[devices.rank]
            self.task.restore(own["data"])
            self.sums = Sums(own["sums"])
        elif any(rank["data"] for rank in ranks):
            raise ValueError(
                f"{self.folder} was saved by {len(ranks)} processes, each somewhere in its data; "
                f"go on with as many, not {devices.world}"
            )
        elif devices.main:
            self.sums = merged([rank["sums"] for rank in ranks])
        return restored.step

    def _arithmetic(self) -> tuple[float | None, float | None]:
        """FLOP per token, and per second of all devices; only measured where there is something to relate."""
        flops: float | None = getattr(self.task, "flops_per_token", None)
        if flops is None or not self.devices.main:
            return None, None
        speed = matrix_speed(self.devices.device, self.devices.machine.precision)
        return flops, speed * self.devices.world

    def _track(self) -> None:
        if self.devices.machine.trackers:
            settings = {
                name: value for name, value in asdict(self.settings).items() if not isinstance(value, tuple)
            }
            self.devices.accelerator.init_trackers("tracked", config=settings)

    def to(self, end: int) -> int:
        """Train to this step."""
        if self.step >= end:
            return self.step
        with Stopping() as stopping, ThreadPoolExecutor(1) as reader:
            while self.step < end and not self.devices.any(stopping.asked):
                self._one(reader if self._reads_ahead and self.step + 1 < end else None)
                self._watch(last=self.step == end)
            if self.saved < self.step:
                self._save()
        if self.devices.machine.trackers:
            self.devices.accelerator.end_training()
        return self.step

    @property
    def _reads_ahead(self) -> bool:
        wanted = self.devices.machine.read_ahead
        return self.devices.device.type == "cuda" if wanted is None else wanted

    def _read(self, step: int) -> _Batch:
        """A step's batch, and where the data stand once it is read: what a checkpoint after it must hold."""
        parts = self.task.parts(step, self.devices.rank, self.devices.world)
        return parts, self.task.data_state()

    def _one(self, reader: ThreadPoolExecutor | None) -> None:
        """One optimiser step, and meanwhile the next one's batch where there is a reader."""
        step, settings, optimizer = self.step, self.settings, self.state.optimizer
        torch.manual_seed(hash((settings.seed, step, self.devices.rank)) & 0x7FFFFFFF)
        self.task.before_step(step)
        for group in optimizer.param_groups:
            group["lr"] = settings.lr(step)
        parts, self.data_state = self.ahead.result() if self.ahead else self._read(step)
        self.ahead = reader.submit(self._read, step + 1) if reader else None
        self._accumulate(parts)
        norm = clip(self.task.model, settings.clip)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        self.state.average.update(self.task.model, step)
        # A rank's share of one step, so that a run continued by other ranks counts steps and not ranks.
        share = 1 / self.devices.world
        self.sums.add({"grad": (norm * share, share), "lr": (settings.lr(step) * share, share)})
        self.step += 1
        if self.ahead:
            wait([self.ahead])  # evaluations and sheets may use what it reads with

    def _accumulate(self, parts: Sequence[Any]) -> None:
        """Gradient of the mean over the samples of the whole step's batch, on whatever devices they lie."""
        devices = self.devices
        # All ranks gather sharded layers together: one with fewer parts repeats its last for nothing.
        count = devices.most(len(parts)) if devices.machine.fsdp else len(parts)
        for index in range(count):
            part = send_to_device(parts[min(index, len(parts) - 1)], devices.device)
            with devices.passing(self.model, last=index + 1 == count):
                with devices.autocast():
                    loss = self.task.loss(self.model, part)
                counted = loss.samples if index < len(parts) else 0
                # Ranks' gradients are averaged, hence the world's size.
                share = loss.value * (counted * devices.world / self.settings.batch)
                torch.autograd.backward(share)
            if counted:
                self.sums.add({"loss": (loss.value.detach() * counted, counted)})
                self.sums.add({"tokens": (loss.tokens, 0)})
                self.sums.add(loss.figures)

    def _watch(self, *, last: bool) -> None:
        """What is due after a step."""
        settings, step = self.settings, self.step
        if step % settings.log_every == 0:
            self._log()
        if step % settings.evaluate_every == 0 or last:
            self._evaluate()
        if step % settings.save_every == 0:
            self._save()
        if step % settings.sheet_every == 0 or step == settings.steps:
            self._sheet()

    def _log(self) -> None:
        sums = merged(self.devices.gathered(self.sums.state()))
        self.sums = Sums()
        _check_samples(sums, self.settings)
        tokens = sums.state()["tokens"][0]
        self._write(averages(sums) | self.pace.figures(tokens))

    def _write(self, figures: dict[str, float]) -> None:
        seconds = time.monotonic() - self.pace.began
        row = {"step": self.step, "seconds": round(seconds, 1)} | figures
        if self.file is not None:
            self.file.write(row)
            if not self.quiet:
                left = (self.settings.steps - self.step) * seconds / max(1, self.step - self.start)
                print(line(row, self.settings.steps, left), flush=True)  # noqa: T201
        if self.devices.machine.trackers:
            self.devices.accelerator.log(figures, step=self.step)

    def _evaluate(self) -> None:
        with self.devices.averaged(self.task.model, self.state.average) as model:
            if model is not None:
                with torch.no_grad(), self.devices.autocast():
                    figures = self.task.evaluate(model)
                self._write(figures)

    def _sheet(self) -> None:
        """`folder/sheets/step-00001000.png`, and the same to the trackers."""
        with self.devices.averaged(self.task.model, self.state.average) as model:
            if model is None:
                return
            with torch.no_grad(), self.devices.autocast():
                sections = self.task.sheet(model)
            if sections:
                page = drawn_sheet(sections, columns=4)
                save_sheet(page, self.folder / "sheets" / f"step-{self.step:08d}.png")
                self.devices.show("samples", page, self.step)

    def _save(self) -> None:
        own = {"data": self.data_state, "sums": self.sums.state()}
        ranks, devices = self.devices.gathered(own), self.devices
        checkpoint.save(
            self.folder, self.step, self.state, ranks, main=devices.main, keep=devices.machine.keep
        )
        self.saved = self.step
        if devices.main:
            replace_json(
                self.folder / "progress.json", {"step": self.step, "settings": asdict(self.settings)}
            )


def _check_samples(sums: Sums, settings: LoopSettings) -> None:
    """A batch of another size than the recipe's would train at another rate, unseen."""
    (_, samples), (_, steps) = sums.state()["loss"], sums.state()["lr"]
    if not math.isclose(samples, steps * settings.batch):
        raise ValueError(f"{samples / steps:g} samples a step where the recipe has {settings.batch}")


def _optimizer(task: TrainingTask, settings: LoopSettings) -> torch.optim.AdamW:
    parameters = [p for p in task.model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": settings.weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=settings.peak_lr, betas=settings.betas, fused=True)
