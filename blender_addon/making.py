"""What the artist can ask for: a shape or picture from words, a shape from an image, an edit, six views."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import ClassVar

import bpy

from . import edits, requests, runtime
from .core.jobs import Job
from .core.offers import MAKES, MODES, Mode, offers
from .core.problems import ProblemError
from .operators import Result, refuse, wait
from .preferences import addon_preferences
from .properties import OMNI123_PG_scene

NO_PROMPT = "The prompt is empty. Describe the object in a few words."
NO_INSTRUCTION = "The instruction is empty. Say what to change, such as: add armrests."
NO_IMAGE = "No image is chosen. Open an image, or choose one of the file."
NO_MESH = "No mesh is selected. Select a mesh, and make it active."


def prompt_missing(context: bpy.types.Context) -> bool:
    return not context.scene.omni123.prompt.strip()


def task_of(settings: OMNI123_PG_scene, mode: Mode) -> str:
    """What pressing the button in a mode asks for."""
    if mode == "WORDS":
        return str(settings.make)
    if mode == "VIEWS":
        return "shape_to_views" if settings.views_of == "OBJECT" else "text_to_views_shape_views"
    return {"IMAGE": "image_to_shape", "EDIT": "edit_shape"}[mode]


def not_offered(settings: OMNI123_PG_scene, mode: Mode) -> str:
    """Why the model behind the connection does not do this; empty where it does, or is not known yet."""
    session = runtime.session()
    if offers(session.capabilities(), task_of(settings, mode)):
        return ""
    welcome = session.connection.welcome
    name = (welcome.model.name or "") if welcome is not None else ""
    label = MAKES[settings.make].label if mode == "WORDS" else MODES[mode].label
    return f"The model {name[:40]} does not do this: {label}."


def submit(context: bpy.types.Context, ask: Callable[[bpy.types.Context], requests.Asked]) -> Job:
    """Raises ProblemError and keeps everything."""
    runtime.connect(start=bool(addon_preferences().autostart))
    asked = ask(context)
    return runtime.session().submit(asked.spec, asked.target, time.monotonic(), asked.files)


class _Making:
    """An operator of one mode. In a window it comes back at once; a script waits for the result."""

    bl_options = {"REGISTER"}
    mode: ClassVar[Mode]

    timeout: bpy.props.FloatProperty(
        name="Timeout", description="Seconds a script waits", default=900.0, options={"HIDDEN", "SKIP_SAVE"}
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        reason = cls.missing(context) or not_offered(context.scene.omni123, cls.mode)
        if reason:
            cls.poll_message_set(reason)
        return not reason

    @classmethod
    def missing(cls, context: bpy.types.Context) -> str:
        """What has to be there first, as a sentence; empty: nothing is missing."""
        raise NotImplementedError

    def ask(self, context: bpy.types.Context) -> requests.Asked:
        raise NotImplementedError

    def execute(self, context: bpy.types.Context) -> Result:
        try:
            job = submit(context, self.ask)
        except ProblemError as error:
            return refuse(self, error.problem)
        if bpy.app.background:
            return wait(self, job, self.timeout)
        return {"FINISHED"}


class OMNI123_OT_generate(_Making, bpy.types.Operator):
    """Make what the words say. A mesh comes in at the 3D cursor when it is done"""

    bl_idname = "omni123.generate"
    bl_label = "Generate"
    mode = "WORDS"

    @classmethod
    def missing(cls, context: bpy.types.Context) -> str:
        return NO_PROMPT if prompt_missing(context) else ""

    def ask(self, context: bpy.types.Context) -> requests.Asked:
        return requests.from_words(context)


class OMNI123_OT_generate_from_image(_Making, bpy.types.Operator):
    """Make a mesh that looks like the image; words may help. It comes in at the 3D cursor when it is done"""

    bl_idname = "omni123.generate_from_image"
    bl_label = "Generate from Image"
    mode = "IMAGE"

    @classmethod
    def missing(cls, context: bpy.types.Context) -> str:
        return NO_IMAGE if context.scene.omni123.image is None else ""

    def ask(self, context: bpy.types.Context) -> requests.Asked:
        return requests.from_image(context)


class OMNI123_OT_edit(_Making, bpy.types.Operator):
    """Change the active mesh as the words say, in place. The mesh it has is kept"""

    bl_idname = "omni123.edit"
    bl_label = "Edit"
    mode = "EDIT"

    @classmethod
    def missing(cls, context: bpy.types.Context) -> str:
        if requests.object_to_send(context) is None:
            return NO_MESH
        return "" if context.scene.omni123.instruction.strip() else NO_INSTRUCTION

    def ask(self, context: bpy.types.Context) -> requests.Asked:
        return requests.edit(context)


class OMNI123_OT_draw_views(_Making, bpy.types.Operator):
    """Draw the active mesh, or what the words say, from six sides; they become images of the file"""

    bl_idname = "omni123.draw_views"
    bl_label = "Draw Views"
    mode = "VIEWS"

    @classmethod
    def missing(cls, context: bpy.types.Context) -> str:
        if context.scene.omni123.views_of == "WORDS":
            return NO_PROMPT if prompt_missing(context) else ""
        return NO_MESH if requests.object_to_send(context) is None else ""

    def ask(self, context: bpy.types.Context) -> requests.Asked:
        if context.scene.omni123.views_of == "WORDS":
            return requests.views_of_words(context)
        return requests.views_of_object(context)


class OMNI123_OT_previous_mesh(bpy.types.Operator):
    """Swap the mesh after the last edit with the one before it; again brings it back"""

    bl_idname = "omni123.previous_mesh"
    bl_label = "Before and After"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        obj = requests.object_to_send(context)
        if obj is None or obj.omni123.previous is None or obj.mode != "OBJECT":
            cls.poll_message_set("The active object has not been edited, or is in another mode.")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> Result:
        edits.swap_previous(requests.object_to_send(context))
        return {"FINISHED"}


class OMNI123_OT_show_colours(bpy.types.Operator):
    """Show the vertices' colours in this viewport's Solid mode"""

    bl_idname = "omni123.show_colours"
    bl_label = "Show in Viewport"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return colours_hidden(context)

    def execute(self, context: bpy.types.Context) -> Result:
        context.space_data.shading.color_type = "VERTEX"
        return {"FINISHED"}


def colours_hidden(context: bpy.types.Context) -> bool:
    """Whether the active object has colours that its viewport does not show."""
    space, obj = context.space_data, requests.object_to_send(context)
    if obj is None or space is None or space.type != "VIEW_3D" or not len(obj.data.color_attributes):
        return False
    return space.shading.type == "SOLID" and space.shading.color_type != "VERTEX"


MAKING: dict[Mode, type[_Making]] = {
    "WORDS": OMNI123_OT_generate,
    "IMAGE": OMNI123_OT_generate_from_image,
    "EDIT": OMNI123_OT_edit,
    "VIEWS": OMNI123_OT_draw_views,
}
CLASSES = (*MAKING.values(), OMNI123_OT_previous_mesh, OMNI123_OT_show_colours)
