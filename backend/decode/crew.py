"""Helper threads of a decoder on CPU: they work inside compiled code, and sleep while there are no steps."""

from __future__ import annotations

import threading

import psutil
import torch

from backend.decode.plan import STOP, Plan
from backend.decode.step import prepare, run


def thread_count() -> int:
    """torch's number of threads, at most one per core: two on one core would only share its bandwidth."""
    return max(1, min(torch.get_num_threads(), psutil.cpu_count(logical=False) or 1))


class _Helper:
    """One sleeping or working thread. It holds no reference to the decoder, which may go away."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.plan: Plan | None = None
        self.closed = False
        self.working = threading.Lock()
        self._call = threading.Event()
        threading.Thread(target=self._live, name=f"decode-{number}", daemon=True).start()

    def wake(self) -> None:
        """For the step that follows, even if it is on its way to sleep from the one before."""
        self._call.set()

    def _live(self) -> None:
        while not self.closed:
            self._call.wait()
            self._call.clear()
            with self.working:
                if self.plan is not None and not self.closed:
                    run(self.plan.address, self.number)


class Crew:
    """Threads that run steps together; the calling thread is one of them."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._helpers = [_Helper(number) for number in range(1, threads)]
        self._plan: Plan | None = None

    def assign(self, plan: Plan | None) -> None:
        """Work on this plan from now on; when this returns, no helper touches the one before."""
        if plan is not None:
            prepare()
        if self._plan is not None:
            self._plan.words[STOP] = 1
        for helper in self._helpers:
            with helper.working:
                helper.plan = plan
        self._plan = plan

    def step(self) -> None:
        assert self._plan is not None
        for helper in self._helpers:
            helper.wake()
        run(self._plan.address, 0)

    def close(self) -> None:
        self.assign(None)
        for helper in self._helpers:
            helper.closed = True
            helper.wake()
