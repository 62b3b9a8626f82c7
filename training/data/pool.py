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

_READY = "ready"
_FAILED_STARTS = 3  # in a row: they are not going to


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


class DataError(Exception):
    """A run that cannot go on, in one sentence that says what to do."""


@dataclass(kw_only=True)
class _Worker:
    process: BaseProcess
    pipe: Connection
    index: int = -1  # of its item; -1: idle
    since: float = field(default_factory=time.monotonic)
    ready: bool = False  # it has started, and reads items


@dataclass(frozen=True)
class LocalPool:
    """Worker processes on this machine, as long as one run lasts."""

    settings: PoolSettings = field(default_factory=PoolSettings)

    def run(self, function: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[Outcome]:
        """Outcomes as they come. `function` and the items must pass to another process.

        Raises DataError when workers cannot start.
        """
        crew = _Crew(function, items, self.settings)
        try:
            yield from crew.outcomes()
        finally:
            for worker in crew.workers:
                _end(worker)


class _Crew:
    """The workers of one run."""

    def __init__(self, function: Callable[[Any], Any], items: Sequence[Any], settings: PoolSettings) -> None:
        self.workers: list[_Worker] = []
        self._function, self._items, self._settings = function, items, settings
        self._waiting = list(range(len(items)))[::-1]
        self._failed_starts = 0  # in a row

    def outcomes(self) -> Iterator[Outcome]:
        while self._waiting or any(worker.index >= 0 for worker in self.workers):
            self._staff()
            for worker in self.workers:
                idle = worker.ready and worker.index < 0
                if idle and self._waiting and _given(worker, self._items[self._waiting[-1]]):
                    worker.index, worker.since = self._waiting.pop(), time.monotonic()
            yield from self._late()
            for ready in wait([worker.pipe for worker in self.workers], timeout=1.0):
                outcome = self._settled(next(worker for worker in self.workers if worker.pipe is ready))
                if outcome is not None:
                    yield outcome

    def _staff(self) -> None:
        """As many workers as there is work for."""
        busy = sum(worker.index >= 0 for worker in self.workers)
        while len(self.workers) < min(self._settings.processes, busy + len(self._waiting)):
            self.workers.append(_start(self._function, self._settings))

    def _late(self) -> Iterator[Outcome]:
        for worker in list(self.workers):
            spent = time.monotonic() - worker.since
            if worker.index >= 0 and spent > self._settings.seconds:
                self.workers.remove(worker)
                _end(worker)
                rejected = Rejected("timeout", f"It took over {self._settings.seconds:g} seconds.")
                yield Outcome(index=worker.index, rejected=rejected, seconds=spent)

    def _settled(self, worker: _Worker) -> Outcome | None:
        """What a worker has to say, if it is of an item; one that has died leaves."""
        spent = time.monotonic() - worker.since
        try:
            answer = worker.pipe.recv()
        except (EOFError, OSError):
            return self._died(worker, spent)
        if answer == _READY:
            worker.ready, self._failed_starts = True, 0
            return None
        index, worker.index = worker.index, -1
        return Outcome(index=index, result=answer[0], rejected=answer[1], seconds=spent)

    def _died(self, worker: _Worker, spent: float) -> Outcome | None:
        self.workers.remove(worker)
        _end(worker)
        ended = f"ended with code {worker.process.exitcode}."
        if worker.index >= 0:
            crashed = Rejected("crashed", f"Its worker {ended}")
            return Outcome(index=worker.index, rejected=crashed, seconds=spent)
        if not worker.ready:
            self._failed_starts += 1
        if self._failed_starts >= _FAILED_STARTS:
            raise DataError(
                f"Workers do not start: the last {ended} Give them more memory, or call this from a script "
                'that has `if __name__ == "__main__":`.'
            )
        return None


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
        pipe.send(_READY)
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
