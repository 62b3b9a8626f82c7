"""Preferences: the backend on this computer, or a server, and this computer's key."""

from __future__ import annotations

import bpy

assert __package__ is not None, "the add-on is a package"
ROOT_PACKAGE = __package__.rpartition(".")[0]


def addon_preferences() -> OMNI123_AP_preferences:
    return bpy.context.preferences.addons[ROOT_PACKAGE].preferences


class OMNI123_AP_preferences(bpy.types.AddonPreferences):
    bl_idname = ROOT_PACKAGE

    autostart: bpy.props.BoolProperty(
        name="Start When Needed",
        description="Start the backend on this computer when a prompt is typed",
        default=True,
    )
    python: bpy.props.StringProperty(
        name="Python",
        description="Python that the backend runs with; empty: the environment in the backend's folder",
        subtype="FILE_PATH",
    )
    root: bpy.props.StringProperty(
        name="Backend Folder",
        description="Folder of Omni123 that holds `backend`; empty: where this extension runs from",
        subtype="DIR_PATH",
    )
    weights: bpy.props.StringProperty(
        name="Weights",
        description="Folder of the model's weights; empty: the bundled model",
        subtype="DIR_PATH",
    )
    options: bpy.props.StringProperty(
        name="Options",
        description="Further arguments for the backend, such as --threads 4",
    )
    server: bpy.props.StringProperty(
        name="Server",
        description="The line a server printed (omni123://host:port/#key); empty: work on this computer",
    )

    def draw(self, context: bpy.types.Context) -> None:
        from . import runtime

        layout = self.layout
        layout.use_property_split = True
        box = layout.box()
        box.label(text="On this computer", icon="DESKTOP")
        for name in ("autostart", "python", "root", "weights", "options"):
            box.prop(self, name)
        box = layout.box()
        box.label(text="On a server", icon="URL")
        box.prop(self, "server", placeholder="omni123://host:port/#key")
        if not runtime.running():
            return
        session = runtime.session()
        row = box.row()
        row.label(text=f"This computer's key: {session.keys.fingerprint}", icon="KEYINGSET")
        row.operator("omni123.copy_key", icon="COPYDOWN")
        row = layout.row()
        row.label(text="Requests, keys and logs are kept in your Blender folder.")
        row.operator("wm.path_open", text="Open Folder", icon="FILE_FOLDER").filepath = str(session.folder)


CLASSES = (OMNI123_AP_preferences,)
