"""A pool over a Ray cluster: the outcomes of `LocalPool`, on as many machines as the cluster has.

    with RayPool(RaySettings(address="auto")) as pool:
        run(step, settings, items, data, pool)

Needs the extra `ray`. Every machine sees the data folder under the same path and has the packages that ours
need; our own code travels with the job.
"""

from __future__ import annotations

import logging
import os
import socket
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.data.assets.asset import Rejected
from training.data.pool import Outcome, PoolSettings, attempt, limit_memory
from training.data.steps import DataError

if TYPE_CHECKING:
    from ray import ObjectRef

_ROOT = Path(__file__).resolve().parents[2]
_PACKAGES = ("backend", "training", "protocol")
_NOT_SHIPPED = ["weights/", "__pycache__/"]  # a step that needs a model names its folder on the shared disk
_FAILED_STARTS = 3  # in a row, and nothing has ever started: it is not going to


@dataclass(frozen=True, kw_only=True)
class RaySettings(PoolSettings):
    """Which cluster, and what each worker of it gets."""

    processes: int = 0  # workers; 0: as many as the cluster has room for, machines that join later included
    address: str = "local"  # "auto", HOST:PORT, ray://HOST:PORT; "local": a cluster of this machine alone
    cpus: float = 1.0  # of each worker
    gpus: float = 0.0
    attempts: int = 3  # a worker that dies, or whose machine does, costs its item only after so many
    start_seconds: float = 600.0  # without a single worker, until the run gives up
    poll_seconds: float = 1.0

    def __post_init__(self) -> None:
        if self.attempts < 1 or self.cpus <= 0 or self.processes < 0 or self.gpus < 0:
            raise ValueError(f"attempts and cpus must be positive, processes and gpus not negative: {self}")


class RayPool:
    """Connects when it is first used; `close` leaves the cluster, and ends one of its own."""

    def __init__(self, settings: RaySettings) -> None:
        self.settings = settings
        self._ours = False

    def run(self, function: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[Outcome]:
        """Outcomes as they come. `function` and the items must pass to another process."""
        if not items:
            return
        self._connect()
        crew = _Crew(function, items, self.settings)
        try:
            yield from crew.outcomes()
        finally:
            crew.dismiss()

    def close(self) -> None:
        if self._ours:
            import ray

            ray.shutdown()
            self._ours = False

    def __enter__(self) -> RayPool:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _connect(self) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            import ray
        except ImportError as error:
            raise DataError("Ray is not installed; pip install 'omni123[ray]' brings it.") from error
        if ray.is_initialized():
            return
        place = self.settings.address
        options: dict[str, Any] = {"runtime_env": _environment(self.settings)}
        if place == "local":
            options |= {"num_cpus": self.settings.processes or os.cpu_count(), "include_dashboard": False}
        try:
            _knock(place)
            ray.init(place, log_to_driver=False, logging_level=logging.ERROR, **options)
        except (OSError, ValueError, RuntimeError) as error:
            reason = str(error.__cause__ or error).strip().splitlines()[-1]  # the cause names a wrong token
            raise DataError(f"No Ray cluster at {place!r} for us ({reason:.400})") from error
        self._ours = True


def _knock(address: str) -> None:
    """Raises OSError where nobody listens; Ray itself would try for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host, int(port)), timeout=10).close()


def _environment(settings: RaySettings) -> dict[str, Any]:
    """How workers find our packages: where they lie, or as a copy of the code alone (2 MB)."""
    variables = {"NUMBA_NUM_THREADS": str(max(int(settings.cpus), 1))}  # of the others Ray sees to it
    if settings.address != "local":
        modules = [str(_ROOT / package) for package in _PACKAGES]
        return {"env_vars": variables, "py_modules": modules, "excludes": _NOT_SHIPPED}
    paths = [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {"env_vars": {**variables, "PYTHONPATH": os.pathsep.join(paths)}}


class Worker:
    """The far side: an actor, a process of its own somewhere in the cluster."""

    def start(self, function: Callable[[Any], Any], memory: int) -> None:
        self._function = function
        limit_memory(memory, already=_address_space())

    def work(self, item: Any) -> tuple[Any, Rejected | None, float]:
        start = time.perf_counter()
        result, rejected = attempt(self._function, item)
        return result, rejected, time.perf_counter() - start


def _address_space() -> int:
    """Bytes this process has mapped: Ray's own maps must not count against the item."""
    if not sys.platform.startswith("linux"):
        return 0
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    return pages * os.sysconf("SC_PAGE_SIZE")


@dataclass(kw_only=True)
class _Seat:
    """The near side of one worker."""

    actor: Any  # Ray's handle of a `Worker`
    busy: ObjectRef[Any] | None  # what it is at; None: idle
    index: int = -1  # of its item; -1: it starts, or is idle
    since: float = field(default_factory=time.monotonic)


class _Crew:
    """The workers of one run: hired, given items one at a time, replaced when they die, dismissed."""

    def __init__(self, function: Callable[[Any], Any], items: Sequence[Any], settings: RaySettings) -> None:
        import ray

        self._settings = settings
        self._items = items
        self._function = ray.put(function)
        self._class: Any = ray.remote(Worker).options(
            num_cpus=settings.cpus,
            num_gpus=settings.gpus,
            max_restarts=0,
            max_task_retries=0,
            scheduling_strategy="SPREAD",
        )
        self._seats: list[_Seat] = []
        self._waiting = deque(range(len(items)))
        self._deaths: Counter[int] = Counter()
        self._started = 0
        self._failed_starts = 0
        self._last_at_work = self._next_hire = time.monotonic()

    def outcomes(self) -> Iterator[Outcome]:
        while self._waiting or any(seat.index >= 0 for seat in self._seats):
            self._hire()
            for seat in self._seats:
                if seat.busy is None and self._waiting:
                    self._give(seat, self._waiting.popleft())
            ready = self._ready()
            for seat in list(self._seats):
                outcome = self._settle(seat) if seat.busy in ready else self._late(seat)
                if outcome is not None:
                    yield outcome
            self._give_up_when_deserted()

    def dismiss(self) -> None:
        for seat in list(self._seats):
            self._end(seat)

    def _hire(self) -> None:
        """Fills the empty seats; at most every few seconds, so that a sick machine is not run hot."""
        if time.monotonic() < self._next_hire:
            return
        self._next_hire = time.monotonic() + 5 * self._settings.poll_seconds
        wanted = min(self._settings.processes or _room(self._settings), len(self._waiting) + len(self._seats))
        for _ in range(wanted - len(self._seats)):
            actor = self._class.remote()
            start = actor.start.remote(self._function, self._settings.memory)
            self._seats.append(_Seat(actor=actor, busy=start))

    def _give(self, seat: _Seat, index: int) -> None:
        seat.index, seat.since = index, time.monotonic()
        seat.busy = seat.actor.work.remote(self._items[index])

    def _ready(self) -> set[ObjectRef[Any]]:
        import ray

        busy = [seat.busy for seat in self._seats if seat.busy is not None]
        if not busy:
            time.sleep(self._settings.poll_seconds)
            return set()
        ray.wait(busy, num_returns=1, timeout=self._settings.poll_seconds)
        ready, _ = ray.wait(busy, num_returns=len(busy), timeout=0)
        return set(ready)

    def _settle(self, seat: _Seat) -> Outcome | None:
        """What a seat has to say; None: it has started, or its item is tried again."""
        import ray
        from ray.exceptions import RayError, RayTaskError

        assert seat.busy is not None
        index, seat.index = seat.index, -1
        spent = time.monotonic() - seat.since
        try:
            found = ray.get(seat.busy)
        except RayError as error:
            self._end(seat)
            if index < 0:
                self._not_started(error)
                return None
            if isinstance(error, RayTaskError):  # what it made cannot travel
                rejected = Rejected("failed", f"{type(error.cause).__name__}: {error.cause!s:.200}")
                return Outcome(index=index, rejected=rejected, seconds=spent)
            return self._died(index, error, spent)
        seat.busy = None
        if index < 0:
            self._started, self._failed_starts = self._started + 1, 0
            return None
        result, rejected, seconds = found
        return Outcome(index=index, result=result, rejected=rejected, seconds=seconds)

    def _not_started(self, error: Exception) -> None:
        self._failed_starts += 1
        if self._failed_starts >= _FAILED_STARTS and not self._started:
            raise DataError(f"No worker starts on the Ray cluster: {error!s:.1000}") from error

    def _died(self, index: int, error: Exception, spent: float) -> Outcome | None:
        from ray.exceptions import OutOfMemoryError

        self._next_hire = 0.0
        self._deaths[index] += 1
        if self._deaths[index] < self._settings.attempts:
            self._waiting.append(index)  # last, when the machine that killed it may be quieter
            return None
        if isinstance(error, OutOfMemoryError):
            rejected = Rejected("too_much_memory", "Its machine ran out of memory.")
        else:
            rejected = Rejected("crashed", f"Its worker died {self._deaths[index]} times.")
        return Outcome(index=index, rejected=rejected, seconds=spent)

    def _late(self, seat: _Seat) -> Outcome | None:
        spent = time.monotonic() - seat.since
        if seat.index < 0 or spent <= self._settings.seconds:
            return None
        self._end(seat)
        self._next_hire = 0.0
        rejected = Rejected("timeout", f"It took over {self._settings.seconds:g} seconds.")
        return Outcome(index=seat.index, rejected=rejected, seconds=spent)

    def _end(self, seat: _Seat) -> None:
        import ray

        self._seats.remove(seat)
        ray.kill(seat.actor)

    def _give_up_when_deserted(self) -> None:
        if any(seat.index >= 0 or seat.busy is None for seat in self._seats):
            self._last_at_work = time.monotonic()
        elif time.monotonic() - self._last_at_work > self._settings.start_seconds:
            has = {name: _resources().get(name, 0.0) for name in ("CPU", "GPU")}
            raise DataError(
                f"The Ray cluster gave no worker in {self._settings.start_seconds:g} seconds: it has "
                f"{has['CPU']:g} CPUs and {has['GPU']:g} GPUs, perhaps at work; each worker asks for "
                f"{self._settings.cpus:g} CPUs and {self._settings.gpus:g} GPUs."
            )


def _room(settings: RaySettings) -> int:
    """How many workers the cluster can hold now, at least one: where it grows by demand, that asks for it."""
    has, needs = _resources(), {"CPU": settings.cpus, "GPU": settings.gpus}
    return max(int(min(has.get(name, 0.0) // need for name, need in needs.items() if need)), 1)


def _resources() -> dict[str, float]:
    import ray

    has: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    return has
