"""The steps of scripts/gui_check.py, run inside Blender. Ends Blender with 0 or 1."""

from __future__ import annotations

import os
import struct
import signal
import sys
import threading
import time
import traceback
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bpy

MODULE = "bl_ext.user_default.omni123"
SHOTS = Path(os.environ["OMNI123_GUI_SHOTS"])
STARTED = time.monotonic()
BUTTON = 103  # pixels from the sidebar's top to the middle of Generate, at UI scale 1.04


def screenshot(name: str) -> None:
    """From Xvfb's picture file (xwd, 32 bits a pixel): Blender's own screenshots are black there."""
    data = Path(os.environ["OMNI123_GUI_FRAMEBUFFER"]).read_bytes()
    head = struct.unpack(">25I", data[:100])
    start, width, height, line = head[0] + 12 * head[19], head[4], head[5], head[12]
    rows = []
    for y in range(height):
        row = data[start + y * line : start + y * line + 4 * width]
        rgb = bytearray(3 * width)
        rgb[0::3], rgb[1::3], rgb[2::3] = row[2::4], row[1::4], row[0::4]
        rows.append(b"\0" + bytes(rgb))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"".join(rows), 6)), (b"IEND", b""))
    png = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )
    (SHOTS / f"{name}.png").write_bytes(png)
    print(f"{time.monotonic() - STARTED:6.1f} s  {name}", flush=True)


def view() -> tuple[bpy.types.Window, bpy.types.Area, bpy.types.Region]:
    """The window, its 3D view and that view's sidebar."""
    window = bpy.context.window_manager.windows[0]
    area = next(area for area in window.screen.areas if area.type == "VIEW_3D")
    return window, area, next(region for region in area.regions if region.type == "UI")


def click(x: float, y: float) -> Iterator[float]:
    """Hovers first, or the click is lost."""
    window = view()[0]
    for step in (-30, -10, 0):
        window.event_simulate(type="MOUSEMOVE", value="NOTHING", x=int(x + step), y=int(y))
        yield 0.3
    for value in ("PRESS", "RELEASE"):
        window.event_simulate(type="LEFTMOUSE", value=value, x=int(x), y=int(y))
        yield 0.2
    window.event_simulate(type="MOUSEMOVE", value="NOTHING", x=700, y=300)
    yield 0.2


def open_tab() -> Iterator[float]:
    """Shows the sidebar's tab; it can be chosen only once the sidebar has been drawn."""
    _, area, sidebar = view()
    area.spaces.active.show_region_ui = True
    for _ in range(100):
        try:
            sidebar.active_panel_category = "Omni123"
            break
        except (AttributeError, TypeError):
            yield 0.3
    assert sidebar.active_panel_category == "Omni123", "the sidebar has no tab"
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0], area=area, region=sidebar):
        bpy.ops.view2d.reset("EXEC_DEFAULT") if bpy.ops.view2d.reset.poll() else None
    area.tag_redraw()
    yield 1.0


def wait(condition: Callable[[], bool], seconds: float) -> Iterator[float]:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        yield 0.05
    assert condition(), "waited in vain"


def press_generate(client: Any) -> Iterator[float]:
    """Clicks the button, again if the click was lost (a loaded machine draws late), until a job appears."""
    before = len(client.jobs)
    _, _, sidebar = view()
    for _ in range(3):
        yield from click(sidebar.x + sidebar.width * 0.45, sidebar.y + sidebar.height - BUTTON)
        for _ in range(20):
            if len(client.jobs) > before:
                return
            yield 0.1
    raise AssertionError("the click did not reach the button")


def steps() -> Iterator[float]:
    bpy.context.preferences.view.show_splash = False
    preferences = bpy.context.preferences.addons[MODULE].preferences
    for name in ("python", "root", "weights", "options"):
        setattr(preferences, name, os.environ[f"OMNI123_GUI_{name.upper()}"])
    cube = bpy.data.objects.get("Cube")
    if cube is not None:
        bpy.data.objects.remove(cube)
    for name in ("Light", "Camera"):
        if bpy.data.objects.get(name) is not None:
            bpy.data.objects[name].hide_set(True)
    yield from open_tab()
    client = sys.modules[f"{MODULE}.blender_addon.runtime"].session().client
    screenshot("1-empty")
    bpy.context.scene.omni123.prompt = os.environ["OMNI123_GUI_PROMPT"]
    bpy.ops.ed.undo_push(message="Prompt")
    view()[1].tag_redraw()
    yield 0.5
    screenshot("2-prompt")

    yield from press_generate(client)
    job = next(iter(client.jobs.values()))
    yield 0.3
    screenshot("3-starting")
    yield from wait(lambda: job.fraction > 0.05 or job.has_ended, 90)
    yield 0.3
    screenshot("4-progress")
    yield from wait(lambda: job.preview is not None or job.has_ended, 90)
    yield 0.3
    screenshot("5-preview")
    yield from wait(lambda: job.has_ended, 90)
    assert job.state == "placed", job
    first = job.first_sign - job.asked_at if job.first_sign else float("nan")
    print(f"first progress {first:.2f} s, mesh {job.ended_at - job.asked_at:.2f} s", flush=True)
    name = job.object_name
    yield from frame()
    screenshot("6-done")
    assert len(bpy.data.objects[name].data.polygons) > 0
    assert bpy.context.view_layer.objects.active == bpy.data.objects[name]

    window, area, _ = view()
    region = next(region for region in area.regions if region.type == "WINDOW")
    with bpy.context.temp_override(window=window, area=area, region=region):
        bpy.ops.ed.undo()
    yield 0.5
    assert bpy.data.objects.get(name) is None, "one undo step did not remove the object"
    with bpy.context.temp_override(window=window, area=area, region=region):
        bpy.ops.ed.redo()
    yield 0.5
    assert bpy.data.objects.get(name) is not None, "redo did not bring it back"

    yield from press_generate(client)
    second = list(client.jobs.values())[-1]
    yield from wait(lambda: second.fraction > 0.1, 90)
    bpy.ops.omni123.cancel()
    yield from wait(lambda: second.has_ended, 10)
    assert second.state == "cancelled", second.state
    yield 0.5
    screenshot("7-cancelled")

    yield from killed_backend(client)
    bpy.ops.preferences.addon_show(module=MODULE)
    yield 1.5
    screenshot("9-preferences")
    durations = sorted(sys.modules[f"{MODULE}.blender_addon.pump"].durations)
    p99 = durations[int(0.99 * (len(durations) - 1))]
    print(f"{len(durations)} ticks: p99 {1e3 * p99:.1f} ms, longest {1e3 * durations[-1]:.1f} ms", flush=True)
    assert threading.active_count() == 1, threading.enumerate()


def killed_backend(client: Any) -> Iterator[float]:
    """The backend's process dies in the middle of a job: it comes again, and the job with it."""
    session = sys.modules[f"{MODULE}.blender_addon.runtime"].session()
    yield from press_generate(client)
    job = list(client.jobs.values())[-1]
    yield from wait(lambda: job.fraction > 0.1, 90)
    os.kill(session.backend.pid, signal.SIGKILL)
    yield 1.0
    screenshot("8-backend-killed")
    yield from wait(lambda: job.has_ended, 120)
    assert job.state == "placed", job


def frame() -> Iterator[float]:
    """The new object fills the view."""
    window, area, _ = view()
    region = next(region for region in area.regions if region.type == "WINDOW")
    with bpy.context.temp_override(window=window, area=area, region=region):
        bpy.ops.view3d.view_selected()
    yield 1.0


_running = steps()


def _next() -> float | None:
    try:
        return next(_running)
    except StopIteration:
        print("passed", flush=True)
        os._exit(_quit(0))
    except Exception:
        traceback.print_exc()
        screenshot("failed")
        os._exit(_quit(1))


def _quit(code: int) -> int:
    """Ends the backend too: os._exit skips what Blender does at its end."""
    runtime = sys.modules.get(f"{MODULE}.blender_addon.runtime")
    if runtime is not None:
        runtime.stop()
    return code


bpy.app.timers.register(_next, first_interval=0.5)
