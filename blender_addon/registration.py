"""What is registered with Blender, and undone in reverse."""

from __future__ import annotations

import atexit

import bpy

from . import ghost, making, operators, panels, pictures, preferences, properties, pump, runtime

CLASSES = (
    *properties.CLASSES,
    *preferences.CLASSES,
    *operators.CLASSES,
    *making.CLASSES,
    *panels.CLASSES,
)


def register() -> None:
    for cls in CLASSES:
        bpy.utils.register_class(cls)
    bpy.types.Scene.omni123 = bpy.props.PointerProperty(type=properties.OMNI123_PG_scene)
    bpy.types.Object.omni123 = bpy.props.PointerProperty(type=properties.OMNI123_PG_object)
    runtime.start()
    pictures.start()
    pump.start()
    ghost.start()
    atexit.register(runtime.stop)  # Blender does not always unregister when it quits


def unregister() -> None:
    atexit.unregister(runtime.stop)
    ghost.stop()
    pump.stop()
    pictures.stop()
    runtime.stop()
    del bpy.types.Object.omni123
    del bpy.types.Scene.omni123
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
