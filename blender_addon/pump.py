"""One timer moves everything: messages, the local backend, results into the scene. It never waits."""

from __future__ import annotations

import logging
import time
from collections import deque

import bpy

from . import pictures, results, runtime
from .core.pace import Throttle
from .core.problems import ProblemError

log = logging.getLogger("omni123.pump")

BUDGET = 0.006  # seconds of a tick for what can be put off
REDRAW = 0.1  # seconds between two redraws of the panel
FAULT_INTERVAL = 1.0  # seconds to the next tick after an unforeseen error

durations: deque[float] = deque(maxlen=10_000)  # seconds of the latest ticks
_redraw = Throttle(REDRAW)
_drawn_revision = -1


def tick(now: float | None = None) -> float:
    """One step; seconds until the next. `now` is monotonic seconds (given by tests)."""
    started = time.perf_counter()
    now = time.monotonic() if now is None else now
    session = runtime.session()
    session.step(now, lambda: time.perf_counter() - started < BUDGET)
    if not _keep_one():
        _place_one(now)
    pictures.update_thumbnails(session.client.open_jobs())
    pictures.update_icons()
    _redraw_if_changed(now)
    durations.append(time.perf_counter() - started)
    return session.interval()


def start() -> None:
    if not bpy.app.timers.is_registered(_on_timer):
        bpy.app.timers.register(_on_timer, first_interval=0.5, persistent=True)


def stop() -> None:
    if bpy.app.timers.is_registered(_on_timer):
        bpy.app.timers.unregister(_on_timer)


def _on_timer() -> float | None:
    """An error must not end the timer: it is logged and the next tick comes."""
    if not runtime.running():
        return None
    try:
        return tick()
    except Exception:
        log.exception("a tick failed")
        return FAULT_INTERVAL


def _keep_one() -> bool:
    """At most one finished picture a tick, before its job's mesh; whether there was one."""
    client = runtime.session().client
    fresh = client.fresh_drawing()
    if fresh is None or results.must_wait(fresh[0]):
        return False
    client.kept(*fresh, pictures.keep(*fresh))
    return True


def _place_one(now: float) -> None:
    """At most one result a tick, and none while its scene is being edited."""
    client = runtime.session().client
    job = client.arrived()
    if job is None or results.must_wait(job):
        return
    try:
        name = results.place_result(job)
    except ProblemError as error:
        client.fail(job, error.problem, now)
        runtime.session().refuse(error.problem)
        return
    client.placed(job, name, now)


def _redraw_if_changed(now: float) -> None:
    global _drawn_revision
    session = runtime.session()
    ticking = session.backend.active and session.connection.welcome is None  # counts seconds in words
    if (session.client.revision == _drawn_revision and not ticking) or not _redraw.ready(now):
        return
    _drawn_revision = session.client.revision
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                area.tag_redraw()
