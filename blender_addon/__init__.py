"""Omni123 inside Blender. `core` holds the logic without bpy; the other modules are glue over it.

bpy is imported on registration only, so that `core` can be tested by plain Python.
"""

from __future__ import annotations


def register() -> None:
    from . import registration

    registration.register()


def unregister() -> None:
    from . import registration

    registration.unregister()
