"""A pool of processes that outlives its workers: one that hangs, crashes or asks for too much memory costs
its item, with a reason, and is replaced."""

from __future__ import annotations

import multiprocessing
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from training.data.assets.asset import Rejected


@dataclass(frozen=True, kw_only=True)
class PoolSettings:
    """How many workers, and what each may use."""

    processes: int = 2
    seconds: float = 300.0  # per item
    memory: int = 8 << 30  # address space of a worker, bytes; 0: no limit. Only where the system has limits


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of one item."""

    index: int
    result: Any = None
    rejected: Rejected | None = None
    seconds: float = 0.0


@dataclass(kw_only=True)
class _Worker:
    process: BaseProcess
    pipe: Connection
    index: int = -1  # of its item; -1: idle
    since: float = field(default_factory=time.monotonic)


def run_items(
    function: Callable[[Any], Any], items: Sequence[Any], settings: PoolSettings
) -> Iterator[Outcome]:
    """Outcomes as they come. `function` and the items must pass to another process."""
    spawn = multiprocessing.get_context("spawn")
    waiting = list(range(len(items)))[::-1]
    workers: list[_Worker] = []
    try:
        while waiting or any(worker.index >= 0 for worker in workers):
            while waiting and len(workers) < settings.processes:
                workers.append(_start(spawn, function, settings))
            for worker in workers:
                if worker.index < 0 and waiting:
                    worker.index, worker.since = waiting.pop(), time.monotonic()
                    worker.pipe.send(items[worker.index])
            for worker in list(workers):
                outcome = None if worker.index < 0 else _late(worker, settings.seconds)
                if outcome is not None:
                    workers.remove(worker)
                    yield outcome
            for ready in wait([worker.pipe for worker in workers], timeout=1.0):
                worker = next(worker for worker in workers if worker.pipe is ready)
                outcome, alive = _received(worker)
                if not alive:
                    workers.remove(worker)
                worker.index = -1
                yield outcome
    finally:
        for worker in workers:
            _end(worker)


def _start(spawn: Any, function: Callable[[Any], Any], settings: PoolSettings) -> _Worker:
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=_work, args=(theirs, function, settings.memory), daemon=False)
    process.start()
    theirs.close()
    return _Worker(process=process, pipe=ours)


def _late(worker: _Worker, seconds: float) -> Outcome | None:
    spent = time.monotonic() - worker.since
    if spent <= seconds:
        return None
    _end(worker)
    rejected = Rejected("timeout", f"It took over {seconds:g} seconds.")
    return Outcome(index=worker.index, rejected=rejected, seconds=spent)


def _received(worker: _Worker) -> tuple[Outcome, bool]:
    spent = time.monotonic() - worker.since
    try:
        result, rejected = worker.pipe.recv()
    except (EOFError, OSError):
        _end(worker)
        crashed = Rejected("crashed", f"Its worker ended with code {worker.process.exitcode}.")
        return Outcome(index=worker.index, rejected=crashed, seconds=spent), False
    return Outcome(index=worker.index, result=result, rejected=rejected, seconds=spent), True


def _end(worker: _Worker) -> None:
    worker.pipe.close()  # a worker that waits for an item ends itself, and its Blender
    if worker.index < 0:
        worker.process.join(5)
    worker.process.kill()
    worker.process.join()


def _work(pipe: Connection, function: Callable[[Any], Any], memory: int) -> None:
    """The worker's life: items in, (result, rejection) out."""
    if memory and sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (memory, resource.getrlimit(resource.RLIMIT_AS)[1]))
    try:
        while True:
            pipe.send(_attempt(function, pipe.recv()))
    except (EOFError, OSError):  # the other side has gone
        return


def _attempt(function: Callable[[Any], Any], item: Any) -> tuple[Any, Rejected | None]:
    try:
        return function(item), None
    except Rejected as rejected:
        return None, rejected
    except MemoryError:
        return None, Rejected("too_much_memory", "It needs more memory than a worker may have.")
    except Exception as error:  # noqa: BLE001  one item must not end the run
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{place.filename.rsplit('/', 1)[-1]}:{place.lineno}"
        return None, Rejected("failed", f"{type(error).__name__} at {where}: {error!s:.200}")
