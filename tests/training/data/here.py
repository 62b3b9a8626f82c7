"""A pool of this very process, so that tests of steps start no workers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from training.data.pool import Outcome, attempt
from training.data.steps import Result


class Here:
    """What goes wrong costs its item, as in any pool."""

    def run(self, function: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[Outcome]:
        for index, item in enumerate(items):
            result, rejected = attempt(function, item)
            yield Outcome(index=index, result=result, rejected=rejected)


def unwatched(name: str, total: int) -> Callable[[Result], None]:
    return lambda result: None
