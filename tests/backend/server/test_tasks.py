"""The tasks and views of the protocol are the model's."""

from __future__ import annotations

import pytest

from backend import sequence
from protocol.tasks import TASKS, VIEWS


def test_views_are_the_models() -> None:
    assert VIEWS == sequence.VIEWS


def test_tasks_are_the_models() -> None:
    tasks = pytest.importorskip("backend.tasks")
    assert set(TASKS) == set(tasks.TASKS)
