"""The tasks and views of the protocol are the model's."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import pytest

from backend import sequence
from backend.tasks import TASKS as ROWS
from protocol.tasks import TASKS, VIEWS, check_views


def choices() -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Views of images and views wanted, in every number that six allow, and once with a view in both."""
    for before in range(len(VIEWS) + 1):
        for after in range(len(VIEWS) + 1 - before):
            yield VIEWS[:before], VIEWS[before : before + after]
    yield ("front",), ("front",)


def accepts(check: Callable[..., object], *arguments: object) -> bool:
    with contextlib.suppress(ValueError):  # a ProtocolError is one
        check(*arguments)
        return True
    return False


def test_tasks_and_views_are_the_models() -> None:
    assert VIEWS == sequence.VIEWS
    assert {name: task.words for name, task in TASKS.items()} == {
        name: row.needs_text for name, row in ROWS.items()
    }


@pytest.mark.parametrize("name", TASKS)
def test_a_source_is_a_prefix(name: str) -> None:
    task, prefix = TASKS[name], ROWS[name].prefix
    assert (task.shape, bool(task.images[1])) == ("shape" in prefix, any("given" in slot for slot in prefix))


@pytest.mark.parametrize("name", TASKS)
def test_the_model_takes_the_views_that_the_protocol_lets_through(name: str) -> None:
    for given, wanted in choices():
        images = len(given) if TASKS[name].images[1] else 0
        passes = accepts(check_views, name, images, given, wanted)
        assert passes == accepts(ROWS[name].layout, given, wanted), (given, wanted)
