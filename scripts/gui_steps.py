"""The steps of scripts/gui_check.py, run inside Blender. Ends Blender with 0 or 1."""

from __future__ import annotations

import logging
import os
import signal
import struct
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bpy

MODULE = "bl_ext.user_default.omni123"
SHOTS = Path(os.environ["OMNI123_GUI_SHOTS"])
STARTED = time.monotonic()
BUTTON = 128  # pixels from the sidebar's top to the middle of Generate, at UI scale 1.04


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


def module(name: str) -> Any:
    """A module of the running add-on."""
    return sys.modules[f"{MODULE}.blender_addon.{name}"]


def over_view() -> Any:
    """A context in which operators act on the 3D view."""
    window, area, _ = view()
    region = next(region for region in area.regions if region.type == "WINDOW")
    return bpy.context.temp_override(window=window, area=area, region=region)


def steps() -> Iterator[float]:
    prepare()
    yield from open_tab()
    client = module("runtime").session().client
    screenshot("1-empty")
    bpy.context.scene.omni123.prompt = os.environ["OMNI123_GUI_PROMPT"]
    bpy.ops.ed.undo_push(message="Prompt")
    view()[1].tag_redraw()
    yield 0.5
    screenshot("2-prompt")
    yield from generated(client)
    yield from undone_and_redone(list(client.jobs.values())[-1].object_name)
    yield from cancelled(client)
    yield from killed_backend(client)
    yield from pictured(client)
    yield from imaged_edited_and_viewed(client)
    bpy.ops.preferences.addon_show(module=MODULE)
    yield 1.5
    screenshot("15-preferences")
    durations = sorted(module("pump").durations)
    p99 = durations[int(0.99 * (len(durations) - 1))]
    print(f"{len(durations)} ticks: p99 {1e3 * p99:.1f} ms, longest {1e3 * durations[-1]:.1f} ms", flush=True)
    assert threading.active_count() == 1, threading.enumerate()


def prepare() -> None:
    """An empty view, and preferences as a user would set them."""
    preferences = bpy.context.preferences.addons[MODULE].preferences
    for name in ("python", "root", "weights", "options"):
        setattr(preferences, name, os.environ[f"OMNI123_GUI_{name.upper()}"])
    bpy.data.objects.remove(bpy.data.objects["Cube"])
    for name in ("Light", "Camera"):
        bpy.data.objects[name].hide_set(True)


def generated(client: Any) -> Iterator[float]:
    """From the click to the mesh, with a picture of each stage."""
    yield from press_generate(client)
    job = list(client.jobs.values())[-1]
    yield 0.3
    screenshot("3-starting")
    yield from wait(lambda: job.fraction > 0.05 or job.has_ended, 90)
    yield 0.3
    screenshot("4-progress")
    yield from wait(lambda: (job.preview is not None and job.fraction > 0.65) or job.has_ended, 90)
    if job.preview is not None:
        yield 0.3
        screenshot("5-preview")
    yield from wait(lambda: job.has_ended, 90)
    assert job.state == "placed", job
    first = job.first_sign - job.asked_at if job.first_sign else float("nan")
    print(f"first progress {first:.2f} s, mesh {job.ended_at - job.asked_at:.2f} s", flush=True)
    with over_view():
        bpy.ops.view3d.view_selected()
    yield 1.0
    screenshot("6-done")
    obj = bpy.data.objects[job.object_name]
    assert len(obj.data.polygons) > 0
    assert bpy.context.view_layer.objects.active == obj


def undone_and_redone(name: str) -> Iterator[float]:
    with over_view():
        bpy.ops.ed.undo()
    yield 0.5
    assert bpy.data.objects.get(name) is None, "one undo step did not remove the object"
    with over_view():
        bpy.ops.ed.redo()
    yield 0.5
    assert bpy.data.objects.get(name) is not None, "redo did not bring it back"


def cancelled(client: Any) -> Iterator[float]:
    yield from press_generate(client)
    job = list(client.jobs.values())[-1]
    yield from wait(lambda: job.fraction > 0.1, 90)
    bpy.ops.omni123.cancel()
    yield from wait(lambda: job.has_ended, 10)
    assert job.state == "cancelled", job.state
    yield 0.5
    screenshot("7-cancelled")


def killed_backend(client: Any) -> Iterator[float]:
    """The backend's process dies in the middle of a job: it comes again, and the job with it."""
    yield from press_generate(client)
    job = list(client.jobs.values())[-1]
    yield from wait(lambda: job.fraction > 0.1, 90)
    os.kill(module("runtime").session().backend.pid, signal.SIGKILL)
    yield 1.0
    screenshot("8-backend-killed")
    yield from wait(lambda: job.has_ended, 120)
    assert job.state == "placed", job


def pictured(client: Any) -> Iterator[float]:
    """A picture sharpens in the panel and stays in the file; the shape fills a box. Where the model can."""
    capabilities = module("runtime").session().capabilities() or {}
    if "text_to_image_shape" not in capabilities.get("tasks", ()):
        return
    settings, boxed = bpy.context.scene.omni123, bool(capabilities.get("box"))
    settings.make, settings.use_box, settings.box = "text_to_image_shape", boxed, (2.0, 1.0, 0.5)
    yield from press_generate(client)
    job = list(client.jobs.values())[-1]
    drawn = module("pictures").thumbnail
    yield from wait(lambda: (drawn(job) > 0 and job.fraction > 0.35) or job.has_ended, 90)
    yield 0.5
    screenshot("9-picture")
    yield from wait(lambda: job.has_ended, 90)
    assert job.state == "placed", job
    sides = tuple(bpy.data.objects[job.object_name].dimensions)
    near = all(abs(side - wanted) < 0.05 for side, wanted in zip(sides, settings.box, strict=True))
    assert near or not boxed, sides
    image = next(image for image in bpy.data.images if image.packed_file is not None)
    assert image.size[0] > 1, "the picture could not be decoded"
    with over_view():
        bpy.ops.view3d.view_selected()
    yield 1.0
    screenshot("10-shape-of-it")


def imaged_edited_and_viewed(client: Any) -> Iterator[float]:
    """A mesh from an image, an edit of a cube in place with its undo, six views. Where the model can."""
    capabilities = module("runtime").session().capabilities() or {}
    if not {"image_to_shape", "edit_shape", "shape_to_views"} <= set(capabilities.get("tasks", ())):
        screenshot("11-greyed")
        return
    settings = bpy.context.scene.omni123
    for obj in list(bpy.data.objects):
        obj.hide_set(True)
    settings.mode = "IMAGE"
    settings.image = next(image for image in bpy.data.images if image.packed_file is not None)
    yield from asked("generate_from_image", client, "11-image")
    with over_view():
        bpy.ops.object.select_all(action="DESELECT")
        bpy.ops.mesh.primitive_cube_add(size=1.0, location=(1.5, 0.0, 0.5))
        bpy.ops.ed.undo_push(message="Cube")  # an operator called by a script makes no step
    cube = bpy.context.view_layer.objects.active
    name, mesh = cube.name, cube.data
    settings.mode, settings.instruction = "EDIT", "put a ball on top"
    yield from asked("edit", client, "12-edit")
    assert bpy.data.objects[name].data != mesh, "the edit did not take the mesh's place"
    with over_view():
        bpy.ops.ed.undo()
    yield 0.5
    assert len(bpy.data.objects[name].data.polygons) == 6, "one undo step did not bring the cube back"
    with over_view():
        bpy.ops.ed.redo()
    yield 0.5
    settings = bpy.context.scene.omni123
    settings.mode = "VIEWS"
    yield from asked("draw_views", client, "13-views")
    assert len(module("pictures").latest()) == 6
    screenshot("14-pictures")


def asked(operator: str, client: Any, shot: str) -> Iterator[float]:
    """As its button does, with a picture before, of the wait and of what came."""
    view()[1].tag_redraw()
    yield 1.0
    screenshot(f"{shot}-before")
    before = len(client.jobs)
    with over_view():
        getattr(bpy.ops.omni123, operator)()
    assert len(client.jobs) > before, "nothing was asked for"
    job = list(client.jobs.values())[-1]
    yield from wait(lambda: job.fraction > 0.4 or job.has_ended, 90)
    yield 0.3
    screenshot(f"{shot}-progress")
    yield from wait(lambda: job.has_ended, 90)
    assert job.state == "placed", job
    with over_view():
        bpy.ops.view3d.view_all()
    yield 1.5
    screenshot(f"{shot}-done")


bpy.context.preferences.view.show_splash = False  # before the first window is drawn
_running = steps()


def _next() -> float | None:
    try:
        return next(_running)
    except StopIteration:
        print("passed", flush=True)
        os._exit(_quit(0))
    except Exception:
        logging.exception("a step failed")
        screenshot("failed")
        os._exit(_quit(1))


def _quit(code: int) -> int:
    """Ends the backend too: os._exit skips what Blender does at its end."""
    runtime = sys.modules.get(f"{MODULE}.blender_addon.runtime")
    if runtime is not None:
        runtime.stop()
    return code


bpy.app.timers.register(_next, first_interval=0.5)
