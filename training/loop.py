"""The training loop: one task, any number of devices through accelerate, resumable to the bit.

Every batch and every random draw is a function of (seed, step, rank), so a resumed run repeats nothing and
misses nothing. Checkpoints are safetensors and JSON, written whole or not at all.
"""

from __future__ import annotations

import json
import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from accelerate import Accelerator
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True)
class LoopSettings:
    """Optimisation (paper Table 6: AdamW (0.9, 0.999), weight decay 0.1, cosine with warm-up, clip)."""

    steps: int
    batch: int  # samples per optimiser step, over all devices
    peak_lr: float
    warmup: int
    seed: int = 0
    weight_decay: float = 0.1
    betas: tuple[float, float] = (0.9, 0.999)
    clip: float = 5.0
    final_lr: float = 0.02  # share of the peak that the cosine ends at
    ema: float = 0.999  # decay of the averaged weights that are exported
    precision: str = "bf16"  # accelerate's mixed precision: no, bf16
    save_every: int = 500
    log_every: int = 25

    def __post_init__(self) -> None:
        if not 0 <= self.warmup < self.steps:
            raise ValueError(f"warm-up of {self.warmup} steps does not fit into {self.steps}")

    def lr(self, step: int) -> float:
        """Learning rate of a step: linear warm-up, then cosine to `final_lr` of the peak."""
        if step < self.warmup:
            return self.peak_lr * (step + 1) / self.warmup
        done = (step - self.warmup) / max(1, self.steps - self.warmup)
        return self.peak_lr * (self.final_lr + (1 - self.final_lr) * 0.5 * (1 + math.cos(math.pi * done)))


class TrainingTask(Protocol):
    """What one training run is about."""

    model: nn.Module

    def before_step(self, step: int) -> None:
        """Change of phase, if any; a function of the step and the model alone."""

    def loss(self, model: nn.Module, step: int, rank: int, world: int) -> tuple[Tensor, dict[str, float]]:
        """Scalar loss of this step's share of the batch, and the figures to log."""
        ...

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Figures on held-out data."""
        ...


class Averaged:
    """Exponential moving average of the parameters, kept in float32."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.tensors = {name: value.detach().clone() for name, value in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        decay = min(self.decay, (step + 1) / (step + 10))
        for name, value in model.state_dict().items():
            if value.is_floating_point():
                self.tensors[name].lerp_(value, 1 - decay)
            else:
                self.tensors[name].copy_(value)


def _optimizer(model: nn.Module, settings: LoopSettings) -> torch.optim.AdamW:
    parameters = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": settings.weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=settings.peak_lr, betas=settings.betas, fused=True)


def save_checkpoint(
    folder: Path, step: int, model: nn.Module, optimizer: torch.optim.Optimizer, average: Averaged
) -> None:
    """`folder/checkpoint.safetensors`: model, its average and optimiser moments, replaced in one rename."""
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    tensors |= {f"ema.{name}": value for name, value in average.tensors.items()}
    names: dict[Tensor, str] = {parameter: name for name, parameter in model.named_parameters()}
    for parameter, state in optimizer.state.items():
        for key, value in state.items():
            tensors[f"optimizer.{names[parameter]}.{key}"] = value
    tensors = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
    partial = folder / "checkpoint.partial"
    save_file(tensors, partial, metadata={"step": str(step)})
    partial.replace(folder / "checkpoint.safetensors")


def load_checkpoint(
    folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer, average: Averaged
) -> int:
    """Restore all three and return the step to go on with; 0 where there is no checkpoint."""
    path = folder / "checkpoint.safetensors"
    if not path.exists():
        return 0
    tensors = load_file(path)
    model.load_state_dict(_under(tensors, "model."))
    average.tensors = _under(tensors, "ema.")
    moments = _under(tensors, "optimizer.")
    for name, parameter in model.named_parameters():
        keys = {key: f"{name}.{key}" for key in ("step", "exp_avg", "exp_avg_sq")}
        state = {key: moments[full] for key, full in keys.items() if full in moments}
        if state:
            optimizer.state[parameter] = state
    # Not from progress.json, which is written after and would lag behind a run killed between the two.
    with safe_open(path, framework="pt") as file:
        return int(file.metadata()["step"])


def _under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name[len(prefix) :]: value for name, value in tensors.items() if name.startswith(prefix)}


def save_recipe(folder: Path, recipe: Any) -> None:
    """`folder/recipe.json`: the run's frozen dataclass, beside the weights it makes."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "recipe.json").write_text(json.dumps(asdict(recipe), indent=1) + "\n", encoding="utf-8")


def saved_recipe(folder: Path) -> dict[str, Any]:
    """What `save_recipe` wrote."""
    recipe: dict[str, Any] = json.loads((folder / "recipe.json").read_text(encoding="utf-8"))
    return recipe


def averaged_weights(folder: Path) -> dict[str, Tensor]:
    """The averaged weights of a run's newest checkpoint. Raises ValueError when the run has none."""
    path = folder / "checkpoint.safetensors"
    if not path.exists():
        raise ValueError(f"{folder} holds no checkpoint; train first")
    return _under(load_file(path), "ema.")


class _Log:
    """`metrics.jsonl` and one line on the terminal every so often."""

    def __init__(self, folder: Path, settings: LoopSettings, start: int, quiet: bool) -> None:
        self.path, self.settings, self.quiet = folder / "metrics.jsonl", settings, quiet
        self.start, self.began = start, time.monotonic()
        self._rewind()
        self.sums: dict[str, float] = {}
        self.count = 0

    def _rewind(self) -> None:
        """Drop a line cut short and the rows after the checkpoint, whose steps are about to run again."""
        if self.path.exists():
            lines = self.path.read_text(encoding="utf-8").splitlines(keepends=True)
            kept = [line for line in lines if line.endswith("\n") and json.loads(line)["step"] <= self.start]
            self.path.write_text("".join(kept), encoding="utf-8")

    def add(self, step: int, figures: dict[str, float]) -> None:
        for name, value in figures.items():
            self.sums[name] = self.sums.get(name, 0.0) + value
        self.count += 1
        if (step + 1) % self.settings.log_every == 0:
            self.write(step, {name: value / self.count for name, value in self.sums.items()})
            self.sums, self.count = {}, 0

    def write(self, step: int, figures: dict[str, float]) -> None:
        elapsed = time.monotonic() - self.began
        row = {"step": step + 1, "seconds": round(elapsed, 1)} | figures
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        if not self.quiet:
            rate = (step + 1 - self.start) * self.settings.batch / max(elapsed, 1e-9)
            text = "  ".join(f"{name} {value:.4g}" for name, value in figures.items())
            print(f"step {step + 1}/{self.settings.steps}  {rate:.1f}/s  {text}", flush=True)  # noqa: T201


def train(
    task: TrainingTask,
    settings: LoopSettings,
    folder: Path,
    *,
    evaluate_every: int = 500,
    stop_after: int | None = None,
    quiet: bool = False,
) -> None:
    """Train from the newest checkpoint in `folder` to the last step, or to `stop_after`."""
    folder.mkdir(parents=True, exist_ok=True)
    accelerator = Accelerator(mixed_precision=settings.precision, cpu=not torch.cuda.is_available())
    optimizer = _optimizer(task.model, settings)
    average = Averaged(task.model, settings.ema)
    start = load_checkpoint(folder, task.model, optimizer, average)
    model, optimizer = accelerator.prepare(task.model, optimizer)
    main, rank, world = accelerator.is_main_process, accelerator.process_index, accelerator.num_processes
    log = _Log(folder, settings, start, quiet) if main else None
    end = min(settings.steps, stop_after or settings.steps)
    for step in range(start, end):
        torch.manual_seed(hash((settings.seed, step, rank)) & 0x7FFFFFFF)
        task.before_step(step)
        for group in optimizer.param_groups:
            group["lr"] = settings.lr(step)
        with accelerator.autocast():
            loss, figures = task.loss(model, step, rank, world)
        accelerator.backward(loss)
        norm = accelerator.clip_grad_norm_(model.parameters(), settings.clip)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if log is None:
            continue
        average.update(task.model, step)
        log.add(step, {"loss": loss.item(), "grad": float(norm)} | figures)
        if (step + 1) % evaluate_every == 0 or step + 1 == end:
            log.write(step, _evaluated(task, average))
        if (step + 1) % settings.save_every == 0 or step + 1 == end:
            save_checkpoint(folder, step + 1, task.model, getattr(optimizer, "optimizer", optimizer), average)
            _write_progress(folder, step + 1, settings)


def _evaluated(task: TrainingTask, average: Averaged) -> dict[str, float]:
    """Figures of the averaged weights, leaving the trained ones as they are."""
    kept = {name: value.clone() for name, value in task.model.state_dict().items()}
    task.model.load_state_dict(average.tensors)
    task.model.eval()
    with torch.no_grad():
        figures = task.evaluate(task.model)
    task.model.train()
    task.model.load_state_dict(kept)
    return figures


def _write_progress(folder: Path, step: int, settings: LoopSettings) -> None:
    progress: dict[str, Any] = {"step": step, "settings": asdict(settings)}
    partial = folder / "progress.partial"
    partial.write_text(json.dumps(progress, indent=1), encoding="utf-8")
    partial.replace(folder / "progress.json")
