"""The sidebar tab: state in words, prompt, Generate, what runs, what came of it. It only draws."""

from __future__ import annotations

import textwrap
import time

import bpy

from . import pictures, runtime
from .core.connection import State
from .core.jobs import Job
from .core.offers import MAKES, MODES, colours, fills_boxes, lacking, makes_shape, mode_offered, offers
from .core.pace import time_words
from .core.problems import Problem
from .core.session import Session
from .making import MAKING, colours_hidden, task_of
from .properties import OMNI123_PG_scene
from .requests import object_to_send

RECENT = 4
COLUMNS = 3  # of pictures
ICONS = {"placed": "CHECKMARK", "failed": "ERROR", "cancelled": "X", "arrived": "IMPORT"}
# mode -> where its words are kept, and an example of them
PROMPTS = {
    "WORDS": ("prompt", "a round wooden table"),
    "IMAGE": ("image_words", "words that help, or none"),
    "EDIT": ("instruction", "add armrests"),
    "VIEWS": ("prompt", "a round wooden table"),
}
BUTTONS = {"WORDS": "MESH_MONKEY", "IMAGE": "MESH_MONKEY", "EDIT": "GREASEPENCIL", "VIEWS": "VIEW_CAMERA"}
CHARACTER_WIDTH = 6.4  # pixels at UI scale 1, for wrapping sentences


class _Sidebar:
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Omni123"


def _sentences(layout: bpy.types.UILayout, context: bpy.types.Context, text: str, icon: str = "NONE") -> None:
    """Labels do not wrap: one for each line of the sidebar's width."""
    region, scale = context.region, context.preferences.system.ui_scale or 1.0  # 0 without a window
    width = region.width if region is not None and region.type == "UI" else 280
    column = layout.column(align=True)
    column.scale_y = 0.8
    for line in textwrap.wrap(text, max(16, int((width - 90 * scale) / (CHARACTER_WIDTH * scale)))):
        column.label(text=line, icon=icon)
        icon = "BLANK1" if icon != "NONE" else "NONE"


class OMNI123_PT_main(_Sidebar, bpy.types.Panel):
    bl_idname = "OMNI123_PT_main"
    bl_label = "Omni123"

    def draw(self, context: bpy.types.Context) -> None:
        session, now = runtime.session(), time.monotonic()
        settings, layout = context.scene.omni123, self.layout
        _draw_state(layout, session, now)
        _draw_modes(layout, settings, session)
        _draw_source(layout, context, settings)
        if settings.mode != "VIEWS" or settings.views_of == "WORDS":
            name, placeholder = PROMPTS[settings.mode]
            layout.prop(settings, name, text="", placeholder=placeholder)
        row = layout.row()
        row.scale_y = 1.5
        button = MAKING[settings.mode]
        row.operator(button.bl_idname, icon=BUTTONS[settings.mode])
        _draw_make(layout, context, session)
        missing = button.missing(context)
        if missing:
            hint = layout.column()
            hint.enabled = False
            _sentences(hint, context, missing.partition(". ")[2])  # what to do
        _draw_lacking(layout, context, session)
        for job in session.client.open_jobs():
            _draw_open(layout, job, session, now)
        waiting = session.client.arrived()
        if waiting is not None:
            _sentences(layout, context, "A shape has arrived; leave Edit Mode to add it.", "IMPORT")
        problem = session.problem(now)
        if problem is not None:
            _draw_problem(layout, context, problem)


def _draw_state(layout: bpy.types.UILayout, session: Session, now: float) -> None:
    state = session.connection.state
    icon = {
        State.READY: "LINKED",
        State.REFUSED: "UNLINKED",
        State.OFF: "SORTTIME" if session.backend.active else "UNLINKED",
    }.get(state, "SORTTIME")
    row = layout.row(align=True)
    row.label(text=session.words(now), icon=icon)
    if state is not State.OFF or session.backend.active:
        row.operator("omni123.stop_backend", text="", icon="QUIT", emboss=False)
    row.operator("omni123.open_preferences", text="", icon="PREFERENCES", emboss=False)


def _draw_modes(layout: bpy.types.UILayout, settings: OMNI123_PG_scene, session: Session) -> None:
    row = layout.row(align=True)
    for mode in MODES:
        part = row.row(align=True)
        part.enabled = mode_offered(session.capabilities(), mode) or settings.mode == mode
        part.prop_enum(settings, "mode", mode, icon="NONE")


def _draw_source(layout: bpy.types.UILayout, context: bpy.types.Context, settings: OMNI123_PG_scene) -> None:
    """What it is made from beside words: an image, or the active mesh."""
    if settings.mode == "IMAGE":
        layout.template_ID(settings, "image", open="image.open")
        if settings.image is not None:
            layout.template_icon(icon_value=pictures.icon(settings.image), scale=6.0)
        return
    if settings.mode == "VIEWS":
        layout.row(align=True).prop(settings, "views_of", expand=True)
    if settings.mode == "EDIT" or (settings.mode == "VIEWS" and settings.views_of == "OBJECT"):
        obj = object_to_send(context)
        if obj is not None:
            row = layout.row(align=True)
            row.label(text=obj.name, icon="MESH_DATA")
            if settings.mode == "EDIT" and obj.omni123.previous is not None:
                row.operator("omni123.previous_mesh", icon="FILE_REFRESH")


def _draw_make(layout: bpy.types.UILayout, context: bpy.types.Context, session: Session) -> None:
    """What to make of words, and whether it comes coloured. What the model does not do is greyed."""
    known, settings = session.capabilities(), context.scene.omni123
    if settings.mode == "WORDS":
        row = layout.row(align=True)
        for task in MAKES:
            part = row.row(align=True)
            part.enabled = offers(known, task) or settings.make == task
            part.prop_enum(settings, "make", task)
    if makes_shape(task_of(settings, settings.mode)):
        row = layout.row()
        toggle = row.row()
        toggle.enabled = colours(known) is not False
        toggle.prop(settings, "color")
        if colours_hidden(context):
            row.operator("omni123.show_colours", icon="COLOR")


def _draw_lacking(layout: bpy.types.UILayout, context: bpy.types.Context, session: Session) -> None:
    """Why some of it is greyed."""
    missing, welcome = lacking(session.capabilities()), session.connection.welcome
    if missing and welcome is not None:
        name = (welcome.model.name or "This model")[:40]
        _sentences(layout, context, f"{name} does not do: {', '.join(missing)}", "INFO")


def _draw_open(layout: bpy.types.UILayout, job: Job, session: Session, now: float) -> None:
    connected = session.connection.state is State.READY
    box = layout.box().column(align=True)
    row = box.row()
    row.label(text=job.title, icon="MESH_DATA" if makes_shape(job.spec.task) else "IMAGE_DATA")
    cancel = row.row()
    cancel.enabled = not job.cancelling
    cancel.operator("omni123.cancel", text="", icon="X", emboss=False).job = job.id
    icon = pictures.thumbnail(job)
    if icon:
        box.template_icon(icon_value=icon, scale=6.0)
    box.progress(factor=job.fraction, type="BAR", text=_job_words(job, connected))
    left = time_words(job.time_left.read(now)) if connected and job.state == "running" else ""
    if left and not job.cancelling:
        box.label(text=left, icon="TIME")
    if job.warning:
        box.label(text=job.warning, icon="INFO")


def _job_words(job: Job, connected: bool) -> str:
    if job.cancelling:
        return "Cancelling…"
    if job.state == "waiting" or not connected:
        return "Waiting for the backend…"
    if job.state == "queued":
        return f"Waiting, {job.position} before it" if job.position else "Waiting…"
    return job.words or "Working…"


def _draw_problem(layout: bpy.types.UILayout, context: bpy.types.Context, problem: Problem) -> None:
    box = layout.box()
    row = box.row()
    column = row.column()
    _sentences(column, context, problem.sentence, "ERROR")
    row.operator("omni123.dismiss_problem", text="", icon="X", emboss=False)
    if problem.hint:
        _sentences(box, context, problem.hint)
    if problem.fix_operator:
        box.operator(problem.fix_operator, text=problem.fix_label)


class OMNI123_PT_advanced(_Sidebar, bpy.types.Panel):
    bl_idname = "OMNI123_PT_advanced"
    bl_label = "Advanced"
    bl_parent_id = "OMNI123_PT_main"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        settings, layout = context.scene.omni123, self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        if settings.mode == "WORDS":
            used = _draw_box(layout, settings, runtime.session())
        if settings.mode in ("WORDS", "IMAGE") or settings.views_of == "WORDS":
            size = layout.row()
            size.active = not (settings.mode == "WORDS" and used)  # the box says it
            size.prop(settings, "size")
        row = layout.row(align=True)
        row.prop(settings, "seed")
        row.prop(settings, "lock_seed", text="", icon="LOCKED" if settings.lock_seed else "UNLOCKED")
        row = layout.row(align=True, heading="Guidance")
        row.prop(settings, "use_guidance", text="")
        value = row.row()
        value.enabled = settings.use_guidance
        value.prop(settings, "guidance", text="")
        layout.prop(settings, "detail")
        row = layout.row(align=True, heading="Faces")
        row.prop(settings, "use_faces", text="")
        value = row.row()
        value.enabled = settings.use_faces
        value.prop(settings, "faces", text="")
        layout.prop(settings, "smoothing")


def _draw_box(layout: bpy.types.UILayout, settings: OMNI123_PG_scene, session: Session) -> bool:
    """The bounding box, only for a model that fills one; whether it is used."""
    if not fills_boxes(session.capabilities()):
        return False
    column = layout.column(align=True)
    column.prop(settings, "use_box")
    sides = column.column(align=True)
    sides.active = settings.use_box
    sides.prop(settings, "box", text="Sides")
    column.operator("omni123.box_from_selection", icon="SHADING_BBOX")
    return bool(settings.use_box)


class OMNI123_PT_pictures(_Sidebar, bpy.types.Panel):
    bl_idname = "OMNI123_PT_pictures"
    bl_label = "Pictures"
    bl_parent_id = "OMNI123_PT_main"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return bool(pictures.latest())

    def draw(self, context: bpy.types.Context) -> None:
        grid = self.layout.grid_flow(row_major=True, columns=COLUMNS, even_columns=True, align=True)
        for image in pictures.latest():
            column = grid.column(align=True)
            column.template_icon(icon_value=pictures.icon(image), scale=4.5)
            column.label(text=image.get(pictures.VIEW, "").capitalize() or image.name)


class OMNI123_PT_recent(_Sidebar, bpy.types.Panel):
    bl_idname = "OMNI123_PT_recent"
    bl_label = "Recent"
    bl_parent_id = "OMNI123_PT_main"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return bool(_recent())

    def draw(self, context: bpy.types.Context) -> None:
        column = self.layout.column(align=True)
        for job in _recent():
            row = column.row(align=True)
            row.label(text=job.title, icon=ICONS.get(job.state, "QUESTION"))
            if job.state != "placed":
                row.operator("omni123.retry", text="", icon="FILE_REFRESH", emboss=False).job = job.id


def _recent() -> list[Job]:
    """The newest that have ended, and those that an earlier Blender left unfinished."""
    client = runtime.session().client
    jobs = [job for job in client.jobs.values() if job.has_ended or job.session != client.session]
    return jobs[::-1][:RECENT]


CLASSES = (OMNI123_PT_main, OMNI123_PT_pictures, OMNI123_PT_advanced, OMNI123_PT_recent)
