"""What the artist can do with requests and the connection. Thin: check, one call, report."""

from __future__ import annotations

import time

import bpy
import numpy as np
from mathutils import Vector

from . import pump, results, runtime
from .core.jobs import Job
from .core.problems import Problem, ProblemError, local_problem
from .preferences import ROOT_PACKAGE

Result = set[str]
PAUSE = 0.01  # seconds between two ticks while a script waits


def refuse(operator: bpy.types.Operator, problem: Problem) -> Result:
    """In a window the panel shows it; a script gets it as an exception."""
    runtime.session().refuse(problem)
    operator.report(
        {"ERROR" if bpy.app.background else "WARNING"}, f"{problem.sentence} {problem.hint}".strip()
    )
    return {"CANCELLED"}


def _goes_on(job: Job) -> bool:
    """Something of it is on its way, or is here and can come into the file now."""
    return job.is_open or ((job.state == "arrived" or bool(job.drawings)) and not results.must_wait(job))


def wait(operator: bpy.types.Operator, job: Job, seconds: float) -> Result:
    """For scripts, where no timer runs: pumps until the job has ended."""
    session = runtime.session()
    deadline = time.monotonic() + seconds
    while _goes_on(job) and time.monotonic() < deadline:
        pump.tick()
        time.sleep(PAUSE)
    if job.is_open:
        session.client.cancel(job, time.monotonic())
        return refuse(operator, session.problem(time.monotonic()) or local_problem("timed_out"))
    if job.problem is not None:
        return refuse(operator, job.problem)
    if job.state == "cancelled":
        operator.report({"WARNING"}, "The request was cancelled.")
        return {"CANCELLED"}
    if job.state == "arrived":
        operator.report({"INFO"}, "The shape has arrived; it is added when you leave Edit Mode.")
    return {"FINISHED"}


class OMNI123_OT_box_from_selection(bpy.types.Operator):
    """Take the box's sides from the selected objects, together"""

    bl_idname = "omni123.box_from_selection"
    bl_label = "From Selection"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not context.selected_objects:
            cls.poll_message_set("No object is selected.")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> Result:
        boxes = [
            [obj.matrix_world @ Vector(corner) for corner in obj.bound_box]
            for obj in context.selected_objects
        ]
        corners = np.array(boxes).reshape(-1, 3)
        sides = corners.max(axis=0) - corners.min(axis=0)
        if sides.max() <= 0.0:
            self.report({"WARNING"}, "The selection has no extent.")
            return {"CANCELLED"}
        settings = context.scene.omni123
        settings.box, settings.use_box = sides, True  # Blender keeps each within the property's range
        return {"FINISHED"}


class _JobOperator:
    """An operator on one job, or without an id on the newest that fits."""

    job: bpy.props.StringProperty(name="Request", options={"HIDDEN", "SKIP_SAVE"})

    def find(self, *states: str) -> Job | None:
        jobs = runtime.session().client.jobs
        if self.job:
            return jobs.get(self.job)
        return next((job for job in reversed(jobs.values()) if job.state in states), None)


class OMNI123_OT_cancel(_JobOperator, bpy.types.Operator):
    """Stop this request"""

    bl_idname = "omni123.cancel"
    bl_label = "Cancel"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not runtime.session().client.open_jobs():
            cls.poll_message_set("Nothing is being made.")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> Result:
        job = self.find("waiting", "queued", "running", "receiving")
        if job is not None:
            runtime.session().client.cancel(job, time.monotonic())
        return {"FINISHED"}


class OMNI123_OT_retry(_JobOperator, bpy.types.Operator):
    """Ask for this again, with the same words, seed and place"""

    bl_idname = "omni123.retry"
    bl_label = "Try Again"

    def execute(self, context: bpy.types.Context) -> Result:
        session = runtime.session()
        job = self.find("failed", "cancelled")
        if job is None:
            self.report({"WARNING"}, "There is no request to try again.")
            return {"CANCELLED"}
        try:
            runtime.connect()
            if job.has_ended:
                again = session.submit_again(job, time.monotonic())
                session.client.forget(job)
                job = again
            else:
                session.client.adopt(job)
        except ProblemError as error:
            return refuse(self, error.problem)
        return wait(self, job, 900.0) if bpy.app.background else {"FINISHED"}


class OMNI123_OT_start_backend(bpy.types.Operator):
    """Start the backend on this computer, or connect to the server of the preferences"""

    bl_idname = "omni123.start_backend"
    bl_label = "Start Backend"

    def execute(self, context: bpy.types.Context) -> Result:
        try:
            runtime.session().notice = None
            runtime.connect()
        except ProblemError as error:
            return refuse(self, error.problem)
        return {"FINISHED"}


class OMNI123_OT_stop_backend(bpy.types.Operator):
    """End the backend on this computer, or the connection to the server. Requests are kept"""

    bl_idname = "omni123.stop_backend"
    bl_label = "Stop Backend"

    def execute(self, context: bpy.types.Context) -> Result:
        runtime.session().disconnect()
        return {"FINISHED"}


class OMNI123_OT_copy_key(bpy.types.Operator):
    """Copy this computer's public key, for the owner of a server to let it in"""

    bl_idname = "omni123.copy_key"
    bl_label = "Copy My Key"

    def execute(self, context: bpy.types.Context) -> Result:
        context.window_manager.clipboard = runtime.session().keys.public
        self.report({"INFO"}, "Your public key is on the clipboard; give it to the owner of the server.")
        return {"FINISHED"}


class OMNI123_OT_dismiss_problem(bpy.types.Operator):
    """Hide this message"""

    bl_idname = "omni123.dismiss_problem"
    bl_label = "Dismiss"

    def execute(self, context: bpy.types.Context) -> Result:
        runtime.session().dismiss()
        return {"FINISHED"}


class OMNI123_OT_open_preferences(bpy.types.Operator):
    """Open the preferences of Omni123"""

    bl_idname = "omni123.open_preferences"
    bl_label = "Open Preferences"

    def execute(self, context: bpy.types.Context) -> Result:
        bpy.ops.preferences.addon_show(module=ROOT_PACKAGE)
        return {"FINISHED"}


class OMNI123_OT_open_system_preferences(bpy.types.Operator):
    """Open Blender's preferences where online access is allowed"""

    bl_idname = "omni123.open_system_preferences"
    bl_label = "Open System Preferences"

    def execute(self, context: bpy.types.Context) -> Result:
        bpy.ops.screen.userpref_show("INVOKE_DEFAULT", section="SYSTEM")
        return {"FINISHED"}


CLASSES = (
    OMNI123_OT_box_from_selection,
    OMNI123_OT_cancel,
    OMNI123_OT_retry,
    OMNI123_OT_start_backend,
    OMNI123_OT_stop_backend,
    OMNI123_OT_copy_key,
    OMNI123_OT_dismiss_problem,
    OMNI123_OT_open_preferences,
    OMNI123_OT_open_system_preferences,
)
