"""What the connected model can do, as far as the panel asks for it."""

from __future__ import annotations

from typing import Any

# What the panel makes from words: task -> label, icon, description
MAKES: dict[str, tuple[str, str, str]] = {
    "text_to_shape": ("Shape", "MESH_MONKEY", "A mesh from the words"),
    "text_to_image_shape": (
        "Picture, Shape",
        "IMAGE_REFERENCE",
        "A picture first, and a mesh that looks like it",
    ),
    "text_to_image": ("Picture", "IMAGE_DATA", "A picture from the words"),
}


def makes_shape(task: str) -> bool:
    """Whether a task ends in a mesh that stands in the scene."""
    return task != "text_to_image"


def offered(capabilities: dict[str, Any] | None) -> list[str]:
    """The tasks of the panel that a model does; a model that has not been heard of does shapes."""
    tasks = (capabilities or {}).get("tasks")
    if not isinstance(tasks, list):
        return ["text_to_shape"]
    return [task for task in MAKES if task in tasks]


def fills_boxes(capabilities: dict[str, Any] | None) -> bool | None:
    """None: no model has been heard of yet."""
    return None if capabilities is None else capabilities.get("box") is True
