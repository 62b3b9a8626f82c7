"""A pool of processes that outlives its workers: one that hangs, crashes or asks for too much memory costs
its item, with a reason, and is replaced."""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from training.data.assets.asset import Rejected

_THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "IGL_NUM_THREADS",
)


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


@dataclass(frozen=True)
class LocalPool:
    """Worker processes on this machine, as long as one run lasts."""

    settings: PoolSettings = field(default_factory=PoolSettings)

    def run(self, function: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[Outcome]:
        """Outcomes as they come. `function` and the items must pass to another process."""
        waiting = list(range(len(items)))[::-1]
        workers: list[_Worker] = []
        try:
            while waiting or any(worker.index >= 0 for worker in workers):
                self._staff(workers, function, len(waiting))
                for worker in workers:
                    if worker.index < 0 and waiting and _given(worker, items[waiting[-1]]):
                        worker.index, worker.since = waiting.pop(), time.monotonic()
                yield from self._settled(workers)
        finally:
            for worker in workers:
                _end(worker)

    def _staff(self, workers: list[_Worker], function: Callable[[Any], Any], waiting: int) -> None:
        """As many workers as there is work for."""
        busy = sum(worker.index >= 0 for worker in workers)
        while len(workers) < min(self.settings.processes, busy + waiting):
            workers.append(_start(function, self.settings))

    def _settled(self, workers: list[_Worker]) -> Iterator[Outcome]:
        """What came in within a second; workers that are late or gone leave the list."""
        for worker in list(workers):
            late = _late(worker, self.settings.seconds)
            if late is not None:
                workers.remove(worker)
                yield late
        for ready in wait([worker.pipe for worker in workers], timeout=1.0):
            worker = next(worker for worker in workers if worker.pipe is ready)
            outcome, alive = _received(worker)
            if not alive:
                workers.remove(worker)
            worker.index = -1
            if outcome.index >= 0:
                yield outcome


def _start(function: Callable[[Any], Any], settings: PoolSettings) -> _Worker:
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=_work, args=(theirs, function, settings.memory), daemon=False)
    with _few_threads(settings.processes):
        process.start()
    theirs.close()
    return _Worker(process=process, pipe=ours)


@contextmanager
def _few_threads(processes: int) -> Iterator[None]:
    """Workers share the cores: their libraries read these names as they load, unless the user set them."""
    each = str(max((os.cpu_count() or 1) // processes, 1))
    ours = {name: each for name in _THREADS if name not in os.environ}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name in ours:
            del os.environ[name]


def _given(worker: _Worker, item: Any) -> bool:
    try:
        worker.pipe.send(item)
    except (BrokenPipeError, ConnectionError):  # it died idle; the next look at its pipe removes it
        return False
    return True


def _late(worker: _Worker, seconds: float) -> Outcome | None:
    spent = time.monotonic() - worker.since
    if worker.index < 0 or spent <= seconds:
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
    limit_memory(memory)
    try:
        while True:
            answer = attempt(function, pipe.recv())
            try:
                pipe.send(answer)
            except OSError:
                raise
            except Exception as error:  # noqa: BLE001  it cannot travel
                pipe.send((None, Rejected("failed", f"{type(error).__name__}: {error!s:.200}")))
    except (EOFError, OSError):  # the other side has gone
        return


def limit_memory(memory: int, already: int = 0) -> None:
    """Limits the address space of this process to `memory` bytes over `already`; 0: no limit."""
    if memory and sys.platform != "win32":
        import resource

        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        wanted = memory + already
        resource.setrlimit(
            resource.RLIMIT_AS, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard)
        )


def attempt(function: Callable[[Any], Any], item: Any) -> tuple[Any, Rejected | None]:
    """(result, None), or (None, why there is none)."""
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
