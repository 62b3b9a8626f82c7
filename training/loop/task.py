"""What the loop asks of a task: micro-batches, their losses, and figures on held-out data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor, nn

from training.evaluation.sheets import Section

# Name to (sum, weight). What is logged is sum / weight over the interval and over all ranks.
Figures = Mapping[str, tuple[Tensor | float, float]]


@dataclass(frozen=True)
class Loss:
    """Of one micro-batch. Figures hold no gradient; leave tensors on the device, to be read when logged."""

    value: Tensor  # mean over the part's samples
    samples: int
    tokens: int  # positions that the model read, for tokens per second
    figures: Figures


class TrainingTask(Protocol):
    """What one training run is about.

    Optional attributes: `flops_per_token`, of forward and backward, for the utilisation; `blocks`, the
    classes of the repeated layers, for sharding, for checkpointing and for compiling them.
    """

    model: nn.Module

    def before_step(self, step: int) -> None:
        """Change of phase, if any; a function of the step and the model alone."""

    def parts(self, step: int, rank: int, world: int) -> Sequence[Any]:
        """This rank's share of the step's batch, cut into micro-batches that fit the device; never empty.

        Over all ranks and parts, samples must add up to the recipe's batch (`rank_share` divides it). The
        loop moves parts to the device: tensors within tuples, lists and dicts, and all that has `to(device)`.
        """
        ...

    def loss(self, model: nn.Module, part: Any) -> Loss:
        """Of one part. Gradients must come from one call of `model(...)`, which may be wrapped."""
        ...

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Figures on held-out data of a model in evaluation mode, without gradients, on one rank alone."""
        ...

    def data_state(self) -> dict[str, Any]:
        """JSON-able position in this rank's data; {} where a batch is a function of (seed, step, rank)."""
        ...

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from where `data_state` was taken."""

    def sheet(self, model: nn.Module) -> list[Section] | None:
        """A page of samples of the model, on one rank alone; None where there is nothing to see."""
        ...


class Stateless:
    """Base of tasks whose batches are functions of (seed, step, rank) and that show no samples."""

    def before_step(self, step: int) -> None:
        """One phase only."""

    def data_state(self) -> dict[str, Any]:
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Nothing to restore."""

    def sheet(self, model: nn.Module) -> list[Section] | None:
        return None


def rank_share(batch: int, rank: int, world: int) -> range:
    """Which samples of a step's batch are a rank's; the shares differ by one sample at most."""
    return range(batch * rank // world, batch * (rank + 1) // world)


def means(samples: int, terms: Mapping[str, Tensor | float]) -> dict[str, tuple[Tensor | float, float]]:
    """Figures from means over a part's samples."""
    return {
        name: ((value.detach() if isinstance(value, Tensor) else value) * samples, samples)
        for name, value in terms.items()
    }


def cut(batch: Mapping[str, Tensor], at_once: int) -> list[dict[str, Tensor]]:
    """A batch of equal rows as parts of at most `at_once` rows."""
    size = len(next(iter(batch.values())))
    starts = range(0, size, at_once)
    return [{name: value[start : start + at_once] for name, value in batch.items()} for start in starts]
