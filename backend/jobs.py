"""What runs requests: several at once as rows of one decoding batch, or one alone in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

from .events import PipelineEvent, Request


class RunsJobs(Protocol):
    """What the worker and the command line need of `backend.pipeline.Pipeline`."""

    model_name: str
    jobs_at_once: int

    def capabilities(self) -> dict[str, Any]: ...

    def start(self, request: Request, cancelled: Callable[[], bool]) -> Iterator[PipelineEvent | None]:
        """Events of one request, `Result` last; None: it waits for the next token of the batch.

        Raises Cancelled soon after `cancelled()` has become true, RequestError where it cannot be served.
        A run that has ended, in whatever way, has left the batch.
        """

    def advance(self) -> None:
        """One decoding step for all started jobs that wait for one."""


def run_alone(pipeline: RunsJobs, request: Request) -> Iterator[PipelineEvent]:
    """The events of one request, with nobody else in the batch."""
    for event in pipeline.start(request, lambda: False):
        if event is None:
            pipeline.advance()
        else:
            yield event
