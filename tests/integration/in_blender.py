"""Blender as a Python module, driven as its timer would: what tests of the running extension share."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SPHERE = "--pipeline tests.backend.server.sphere_pipeline:load"

pytest.importorskip("bpy", reason="needs Blender as a Python module")
sys.path.insert(0, str(ROOT / "scripts"))
import blender_session  # noqa: E402


def module(name: str) -> ModuleType:
    return blender_session.submodule(name)


def session() -> Any:
    return module("runtime").session()


def pump_until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    """What Blender's timer does."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        module("pump").tick()
        time.sleep(0.01)


def end_jobs() -> None:
    """Nothing of a test is left to the next."""
    for job in session().client.open_jobs():
        session().client.cancel(job, time.monotonic())
        pump_until(lambda job=job: job.has_ended)
    session().dismiss()
