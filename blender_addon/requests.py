"""The panel's settings, and what is selected, as a request: what to do, where it goes, what is sent along."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np

from ..protocol.arrays import encode_mesh
from ..protocol.errors import ProtocolError
from ..protocol.jobs import JobSpec
from ..protocol.tasks import VIEWS, InputKind
from . import runtime
from .capture import Seen, image_file, see
from .core.offers import colours, fills_boxes, makes_shape
from .core.placement import Source, Target, outward, transformed
from .core.problems import ProblemError, from_code, from_error
from .properties import DETAIL_CELLS, OMNI123_PG_object, OMNI123_PG_scene

UNIFORM = 1e-4  # how far an object's scale may be from the same along each axis


@dataclass(frozen=True, kw_only=True)
class Asked:
    """`files`: what `spec.inputs` declares."""

    spec: JobSpec
    target: Target
    files: tuple[bytes, ...] = ()


def from_words(context: bpy.types.Context) -> Asked:
    """Raises ProblemError, as the others do."""
    settings = context.scene.omni123
    _check_prompt(settings)
    box = tuple(settings.box) if box_is_used(settings) else None
    options = _options(settings) if makes_shape(settings.make) else _sampling(settings)
    spec = JobSpec(task=settings.make, prompt=settings.prompt, box=box, **options)
    return Asked(spec=spec, target=_at_cursor(context, size=max(box) if box else settings.size))


def from_image(context: bpy.types.Context) -> Asked:
    settings = context.scene.omni123
    if settings.image is None:
        raise ProblemError(from_error(ProtocolError("bad_image", "No image is chosen.", hint="Choose one.")))
    words = settings.image_words.strip()
    spec = JobSpec(task="image_to_shape", prompt=words, inputs=("image",), **_options(settings))
    title = words or settings.image.name
    return Asked(spec=spec, target=_at_cursor(context, title=title), files=(image_file(settings.image),))


def edit(context: bpy.types.Context) -> Asked:
    settings, obj = context.scene.omni123, _mesh_object(context)
    seen = see(obj, context.view_layer)
    spec = JobSpec(task="edit_shape", prompt=settings.instruction, inputs=("mesh",), **_options(settings))
    target = _in_place(context, _source(obj, seen), settings.instruction)
    return Asked(spec=spec, target=target, files=(_mesh(seen),))


def views_of_object(context: bpy.types.Context) -> Asked:
    settings, obj = context.scene.omni123, _mesh_object(context)
    seen = see(obj, context.view_layer)
    kind: InputKind = "tokens" if _is_its_tokens(obj.omni123, seen) else "mesh"
    data = obj.omni123.tokens if kind == "tokens" else _mesh(seen)
    spec = JobSpec(task="shape_to_views", views=VIEWS, inputs=(kind,), **_sampling(settings))
    return Asked(spec=spec, target=_at_cursor(context, title=f"{obj.name}, six views"), files=(data,))


def views_of_words(context: bpy.types.Context) -> Asked:
    """Six views of what the words say, and the shape that has them."""
    settings = context.scene.omni123
    _check_prompt(settings)
    spec = JobSpec(
        task="text_to_views_shape_views", prompt=settings.prompt, image_views=VIEWS, **_options(settings)
    )
    return Asked(spec=spec, target=_at_cursor(context))


def box_is_used(settings: OMNI123_PG_scene) -> bool:
    """Not with a model that is known to fill none: its control is not shown then."""
    wanted = settings.mode == "WORDS" and settings.use_box and makes_shape(settings.make)
    return wanted and fills_boxes(runtime.session().capabilities()) is not False


def object_to_send(context: bpy.types.Context) -> bpy.types.Object | None:
    """The active object, when it is a mesh that is selected."""
    obj = context.view_layer.objects.active
    return obj if obj is not None and obj.type == "MESH" and obj.select_get() else None


def _mesh_object(context: bpy.types.Context) -> bpy.types.Object:
    obj = object_to_send(context)
    if obj is None:
        error = ProtocolError("bad_mesh", "No mesh is selected.", hint="Select one, and make it active.")
        raise ProblemError(from_error(error))
    return obj


def _check_prompt(settings: OMNI123_PG_scene) -> None:
    if not settings.prompt.strip():
        raise ProblemError(from_code("empty_prompt"))


def _sampling(settings: OMNI123_PG_scene) -> dict[str, Any]:
    if not settings.lock_seed:
        settings.seed = random.randrange(2**31)
    return {"seed": settings.seed, "guidance": settings.guidance if settings.use_guidance else None}


def _options(settings: OMNI123_PG_scene) -> dict[str, Any]:
    """Of what makes a mesh. A model not heard of yet is asked for colour too: it says when it has none."""
    return {
        **_sampling(settings),
        "cells": DETAIL_CELLS[settings.detail],
        "faces": settings.faces if settings.use_faces else None,
        "smoothing": settings.smoothing or None,
        "color": settings.color and colours(runtime.session().capabilities()) is not False,
    }


def _at_cursor(context: bpy.types.Context, *, size: float | None = None, title: str = "") -> Target:
    cursor = context.scene.cursor.location
    return Target(
        location=(cursor.x, cursor.y, cursor.z),
        size=context.scene.omni123.size if size is None else size,
        scene=context.scene.name,
        title=title,
    )


def _source(obj: bpy.types.Object, seen: Seen) -> Source:
    """How what comes back of an object's mesh becomes part of it."""
    inside = np.column_stack([np.linalg.inv(seen.frame), np.zeros(3)])
    outside = np.column_stack([seen.turn @ seen.frame, obj.matrix_world.translation])
    world = np.column_stack([outside[:, :3] @ inside[:, :3], outside[:, 3]])
    corners = transformed(outside.ravel(), seen.arrays.vertices)
    low, high = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
    return Source(
        object=obj.name,
        uid=obj.session_uid,
        fingerprint=seen.fingerprint,
        local=tuple(inside.ravel().tolist()),
        world=tuple(world.ravel().tolist()),
        low=(low[0], low[1], low[2]),
        high=(high[0], high[1], high[2]),
    )


def _mesh(seen: Seen) -> bytes:
    """The mesh that is seen, as it is sent."""
    vertices = (seen.arrays.vertices @ seen.frame.T).astype(np.float32)
    faces = outward(np.column_stack([np.linalg.inv(seen.frame), np.zeros(3)]).ravel(), seen.arrays.faces)
    try:
        return encode_mesh(vertices, faces, seen.arrays.colors, runtime.session().connection.limits)
    except ProtocolError as error:
        raise ProblemError(from_error(error)) from error


def _is_its_tokens(record: OMNI123_PG_object, seen: Seen) -> bool:
    """Made by this model, untouched since, neither coloured nor stretched nor tilted: 2 KB say all of it."""
    welcome = runtime.session().connection.welcome
    if not record.tokens or record.fingerprint != seen.fingerprint or seen.arrays.colors is not None:
        return False
    scale = seen.frame[0, 0]
    upright = scale > 0 and np.abs(seen.frame - scale * np.eye(3)).max() <= UNIFORM * scale
    return bool(upright and welcome is not None and record.model == (welcome.model.name or "")[:200])


def _in_place(context: bpy.types.Context, source: Source, instruction: str) -> Target:
    (x0, y0, z0), (x1, y1, z1) = source.low, source.high
    return Target(
        location=((x0 + x1) / 2, (y0 + y1) / 2, z0),
        size=max(x1 - x0, y1 - y0, z1 - z0),
        scene=context.scene.name,
        title=f"{source.object}: {instruction.strip()}",
        source=source,
    )
