"""Whose job is next: first come first served within an owner, turn by turn between owners."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import count


class FairQueue:
    """Job ids. An owner with one job waits for at most one job of each other owner."""

    def __init__(self) -> None:
        self._lanes: dict[str, deque[str]] = {}  # owner -> jobs; the first lane is next

    def __len__(self) -> int:
        return sum(len(lane) for lane in self._lanes.values())

    def __iter__(self) -> Iterator[str]:
        """In the order in which they would start."""
        lanes = list(self._lanes.values())
        for turn in count():
            ready = [lane[turn] for lane in lanes if turn < len(lane)]
            if not ready:
                return
            yield from ready

    def push(self, owner: str, job: str, *, first: bool = False) -> None:
        """`first`: before the owner's other jobs, and the owner before the others."""
        lane = self._lanes.setdefault(owner, deque())
        if not first:
            lane.append(job)
            return
        lane.appendleft(job)
        self._lanes = {owner: lane, **self._lanes}

    def pop(self) -> str:
        """The next job; its owner's turn comes after the others'. Raises IndexError when empty."""
        if not self._lanes:
            raise IndexError("pop from an empty queue")
        owner = next(iter(self._lanes))
        lane = self._lanes.pop(owner)
        job = lane.popleft()
        if lane:
            self._lanes[owner] = lane
        return job

    def remove(self, owner: str, job: str) -> None:
        """Raises KeyError or ValueError when it is not waiting."""
        lane = self._lanes[owner]
        lane.remove(job)
        if not lane:
            del self._lanes[owner]
