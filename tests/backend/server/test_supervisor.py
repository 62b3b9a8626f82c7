"""The worker's surroundings."""

from __future__ import annotations

import pytest

from backend.server.supervisor import worker_environment


def test_waiting_threads_sleep_so_that_blender_can_draw(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    assert worker_environment(None)["OMP_WAIT_POLICY"] == "passive"


def test_threads_asked_for_are_the_worker_s() -> None:
    assert worker_environment(3)["OMP_NUM_THREADS"] == "3"


def test_the_package_is_found_wherever_the_gateway_was_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    assert worker_environment(None)["PYTHONPATH"].endswith("elsewhere")
