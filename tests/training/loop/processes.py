"""Runs of a tiny task in processes of their own, for tests of what kills, signals and ranks do to a run.

Forked from one that has imported torch and run nothing of it: python processes.py killed|ranks FOLDER
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from training.loop import LoopSettings, Loss, Machine, Stateless, checkpoint, means, rank_share, train

SETTINGS = LoopSettings(
    steps=12, batch=6, peak_lr=0.05, warmup=2, save_every=3, log_every=2, evaluate_every=6, ema=0.9
)
PATIENCE = 240  # seconds, for machines that do much else meanwhile
EXACT = Machine(precision="no")


class Layer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.tanh(self.inner(x))


class TwoHeads(nn.Module):
    """Samples of one kind use one head, those of the other kind the other."""

    def __init__(self, dropout: float) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Layer() for _ in range(2))
        self.heads = nn.ModuleList(nn.Linear(8, 1) for _ in range(2))
        self.dropout = dropout

    def forward(self, x: Tensor, kind: int) -> Tensor:
        for layer in self.layers:
            x = nn.functional.dropout(layer(x), self.dropout, self.training)
        return self.heads[kind](x)[:, 0]


class Heads(Stateless):
    """Each sample is a function of its number alone; a micro-batch holds samples of one kind."""

    blocks = (Layer,)
    flops_per_token = 1000.0

    def __init__(self, dropout: float = 0.0, before: Callable[[int], None] = lambda step: None) -> None:
        torch.manual_seed(0)
        self.model: nn.Module = TwoHeads(dropout)
        self.before, self.place = before, 0

    def before_step(self, step: int) -> None:
        self.before(step)

    def parts(self, step: int, rank: int, world: int) -> list[tuple[int, Tensor]]:
        numbers = [step * SETTINGS.batch + place for place in rank_share(SETTINGS.batch, rank, world)]
        samples = [torch.randn(8, generator=torch.Generator().manual_seed(number)) for number in numbers]
        # The first two samples of a batch are of kind 0, so that the second rank of two has none of it.
        kinds = [int(number % SETTINGS.batch >= 2) for number in numbers]
        return [
            (kind, torch.stack([x for x, k in zip(samples, kinds, strict=True) if k == kind]))
            for kind in sorted(set(kinds))
        ]

    def loss(self, model: nn.Module, part: tuple[int, Tensor]) -> Loss:
        kind, x = part
        error = (model(x, kind) - x.sum(dim=1) - kind).square().mean()
        return Loss(error, len(x), len(x), means(len(x), {f"kind_{kind}": error}))

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        return {"val": float(model(torch.ones(1, 8), 0).abs())}


class Streamed(Heads):
    """The same, reading on in a stream whose place is all it knows."""

    def parts(self, step: int, rank: int, world: int) -> list[tuple[int, Tensor]]:
        self.place += 1
        return super().parts(self.place - 1, rank, world)

    def data_state(self) -> dict[str, Any]:
        return {"place": self.place}

    def restore(self, state: dict[str, Any]) -> None:
        self.place = state["place"]


def forked(work: Callable[[], object], **environment: str) -> int:
    """The id of a process that does this and nothing else."""
    child = os.fork()
    if child:
        return child
    signal.alarm(PATIENCE)  # no test may leave a process behind
    os.environ |= environment
    torch.set_num_threads(1)
    work()
    os._exit(0)


def ended(child: int) -> int:
    """Its exit code; the negative number of the signal that killed it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def at(step: int, number: signal.Signals) -> Callable[[int], None]:
    return lambda now: os.kill(os.getpid(), number) if now == step else None


def die_while_saving() -> None:
    checkpoint._flush = lambda path: os.kill(os.getpid(), signal.SIGKILL)
    train(Streamed(0.1), SETTINGS, killed, EXACT, quiet=True)


def run_killed() -> None:
    """One run undisturbed; one killed between two steps, killed while it saves, and asked to stop."""

    def run(to: Path, before: Callable[[int], None] = lambda step: None) -> Callable[[], object]:
        return lambda: train(Streamed(0.1, before), SETTINGS, to, EXACT, quiet=True)

    assert ended(forked(run(folder / "straight"))) == 0
    assert ended(forked(run(killed, at(5, signal.SIGKILL)))) == -signal.SIGKILL
    assert ended(forked(die_while_saving)) == -signal.SIGKILL
    assert ended(forked(run(killed, at(7, signal.SIGTERM)))) == 0
    (folder / "stopped").write_bytes((killed / "progress.json").read_bytes())
    assert ended(forked(run(killed))) == 0


def run_ranks() -> None:
    """The same six steps by one process, by two, and half by two sharded and then half by one."""

    def run(name: str, machine: Machine = EXACT, **rest: Any) -> Callable[[], object]:
        return lambda: train(Heads(), SETTINGS, folder / name, machine, quiet=True, **rest)

    assert ended(forked(run("one", stop_after=6))) == 0
    assert together(run("two", stop_after=6)) == [0, 0]
    assert together(run("sharded", replace(EXACT, fsdp=True), stop_after=3)) == [0, 0]
    assert ended(forked(run("sharded", stop_after=6))) == 0


def together(work: Callable[[], object]) -> list[int]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    children = [forked(work, RANK=rank, LOCAL_RANK=rank, **shared) for rank in ("0", "1")]
    return [ended(child) for child in children]


if __name__ == "__main__":
    folder = Path(sys.argv[2])
    killed = folder / "killed"
    {"killed": run_killed, "ranks": run_ranks}[sys.argv[1]]()
