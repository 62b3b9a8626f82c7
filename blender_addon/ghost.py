"""What is being made, drawn into the viewport: a box where it will stand, in it the growing coarse mesh.

Drawn, not added to the scene: there is nothing to undo, select or save.
"""

from __future__ import annotations

import logging
from typing import Any

import bpy
import gpu
import numpy as np
from gpu_extras.batch import batch_for_shader
from numpy.typing import NDArray

from ..protocol.arrays import MeshArrays
from . import runtime
from .core.jobs import Job
from .core.offers import makes_shape
from .core.placement import box_lines, box_sides, outward, place_preview, transformed

log = logging.getLogger("omni123.ghost")

BOX_COLOUR = (0.95, 0.62, 0.25, 0.8)
LOW, HIGH = np.array([0.16, 0.24, 0.34, 1.0]), np.array([0.72, 0.84, 0.96, 1.0])
LIGHT = np.array([0.35, -0.55, 0.76])

_handle: Any = None
_batches: dict[str, tuple[MeshArrays, gpu.types.GPUBatch]] = {}  # job -> what it was made of, and it
_failed = False


def start() -> None:
    global _handle, _failed
    _failed = False
    if not bpy.app.background:
        _handle = bpy.types.SpaceView3D.draw_handler_add(_draw, (), "WINDOW", "POST_VIEW")


def stop() -> None:
    global _handle
    _batches.clear()
    if _handle is not None:
        bpy.types.SpaceView3D.draw_handler_remove(_handle, "WINDOW")
        _handle = None


def _draw() -> None:
    """Errors end the ghosts, not the viewport: Blender would print one at every redraw."""
    global _failed
    if _failed or not runtime.running():
        return
    try:
        _draw_ghosts()
    except Exception:
        log.exception("ghosts are switched off")
        _failed = True


def _draw_ghosts() -> None:
    jobs = [job for job in runtime.session().client.open_jobs() if job.target.scene == bpy.context.scene.name]
    for job_id in _batches.keys() - {job.id for job in jobs}:
        del _batches[job_id]
    if not jobs:
        return
    gpu.state.depth_test_set("LESS_EQUAL")
    gpu.state.blend_set("ALPHA")
    for job in jobs:
        if job.preview is not None:
            gpu.state.depth_mask_set(True)
            _mesh_batch(job, job.preview).draw(gpu.shader.from_builtin("SMOOTH_COLOR"))
        if makes_shape(job.spec.task):
            _draw_box(job)
    gpu.state.depth_mask_set(False)
    gpu.state.depth_test_set("NONE")
    gpu.state.blend_set("NONE")


def _draw_box(job: Job) -> None:
    shader = gpu.shader.from_builtin("POLYLINE_UNIFORM_COLOR")
    shader.bind()
    shader.uniform_float("color", BOX_COLOUR)
    shader.uniform_float("lineWidth", 1.5)
    shader.uniform_float("viewportSize", gpu.state.viewport_get()[2:])
    source, size = job.target.source, job.target.size
    sides = source.sides if source is not None else box_sides(job.spec.box, size)
    lines = box_lines(job.target.location, sides)
    batch_for_shader(shader, "LINES", {"pos": lines}).draw(shader)


def _mesh_batch(job: Job, preview: MeshArrays) -> gpu.types.GPUBatch:
    known = _batches.get(job.id)
    if known is not None and known[0] is preview:
        return known[1]
    source, faces = job.target.source, preview.faces
    if source is None:
        standing = place_preview(preview.vertices, job.target.size)
        points = standing + np.asarray(job.target.location, np.float32)
    else:
        points, faces = transformed(source.world, preview.vertices), outward(source.world, faces)
    content = {"pos": points, "color": shade(points, faces)}
    batch = batch_for_shader(gpu.shader.from_builtin("SMOOTH_COLOR"), "TRIS", content, indices=faces)
    _batches[job.id] = (preview, batch)
    return batch


def shade(points: NDArray[np.float32], faces: NDArray[np.int32]) -> NDArray[np.float32]:
    """(n, 4) float32 colours by a fixed light: points (n, 3), faces (m, 3)."""
    corners = points[faces]
    face_normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals = np.zeros((len(points), 3))
    for corner in range(3):
        np.add.at(normals, faces[:, corner], face_normals)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    light = np.clip(0.5 + 0.5 * normals @ LIGHT, 0.0, 1.0)[:, None]
    return (LOW + (HIGH - LOW) * light).astype(np.float32)
