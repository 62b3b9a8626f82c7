"""Entry of the Blender extension: the repository's root is the extension's root.

The guard keeps pytest and other tools, which import this file by its bare name, from importing bpy.
"""

if "." in __name__:
    from .blender_addon import register, unregister

    __all__ = ["register", "unregister"]
