"""Many requests through one pipeline, as many at once as it takes; what fails is an answer too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from backend.events import PipelineEvent, Request, Result
from backend.failures import RequestError
from backend.jobs import RunsJobs

Running = Iterator[PipelineEvent | None]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What one request came to."""

    result: Result | None = None  # None: it failed
    failure: str = ""  # the sentence an artist would read


def answers(pipeline: RunsJobs, requests: Sequence[Request]) -> Iterator[tuple[int, Answer]]:
    """The number of each request and its answer, as they come; seeds make them the same in any order."""
    waiting = list(range(len(requests)))[::-1]
    running: dict[int, Running] = {}
    while waiting or running:
        while waiting and len(running) < pipeline.jobs_at_once:
            number = waiting.pop()
            try:
                running[number] = pipeline.start(requests[number], lambda: False)
            except RequestError as error:  # it cannot be planned
                yield number, Answer(failure=error.message)
        for number in list(running):
            if (answer := _until_token(running[number])) is not None:
                del running[number]
                yield number, answer
        if running:
            pipeline.advance()


def in_order(pipeline: RunsJobs, requests: Sequence[Request]) -> list[Answer]:
    """The answers in the order of their requests."""
    made = dict(answers(pipeline, requests))
    return [made[number] for number in range(len(requests))]


def _until_token(events: Running) -> Answer | None:
    """Its answer, or None where it waits for the next token of the batch."""
    try:
        for event in events:
            if event is None:
                return None
            if isinstance(event, Result):
                return Answer(result=event)
    except RequestError as error:
        return Answer(failure=error.message)
    raise RuntimeError("a run ended without a result")
