"""The add-on's logic without Blender: connection, jobs, keys, local backend, placement, words.

Nothing here imports bpy, so plain pytest runs it; the bpy side is glue over it.
"""
