"""What the connected model can do, as far as the panel asks; what it cannot is greyed, with the reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Mode = Literal["WORDS", "IMAGE", "EDIT", "VIEWS"]
Capabilities = dict[str, Any] | None  # of welcome; None: no model has been heard of yet


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A button of the panel."""

    label: str
    icon: str
    description: str


# What the panel makes from words, by task
MAKES: dict[str, Choice] = {
    "text_to_shape": Choice(label="Shape", icon="MESH_MONKEY", description="A mesh from the words"),
    "text_to_image_shape": Choice(
        label="Picture, Shape",
        icon="IMAGE_REFERENCE",
        description="A picture first, and a mesh that looks like it",
    ),
    "text_to_image": Choice(label="Picture", icon="IMAGE_DATA", description="A picture from the words"),
}
# What the panel starts from
MODES: dict[Mode, Choice] = {
    "WORDS": Choice(label="Words", icon="OUTLINER_DATA_FONT", description="Make something from words"),
    "IMAGE": Choice(label="Image", icon="IMAGE_DATA", description="Make a mesh that looks like an image"),
    "EDIT": Choice(label="Edit", icon="GREASEPENCIL", description="Change the active mesh by words"),
    "VIEWS": Choice(
        label="Views", icon="VIEW_CAMERA", description="Draw a shape from its six sides, as images"
    ),
}
TASKS_OF: dict[Mode, tuple[str, ...]] = {
    "WORDS": tuple(MAKES),
    "IMAGE": ("image_to_shape",),
    "EDIT": ("edit_shape",),
    "VIEWS": ("shape_to_views", "text_to_views_shape_views"),
}


def makes_shape(task: str) -> bool:
    """Whether a task ends in a mesh that stands in the scene."""
    return task not in ("text_to_image", "shape_to_views")


def offers(capabilities: Capabilities, task: str) -> bool:
    """A model that has not been heard of may do anything: it will say so itself."""
    tasks = (capabilities or {}).get("tasks")
    return task in tasks if isinstance(tasks, list) else True


def mode_offered(capabilities: Capabilities, mode: Mode) -> bool:
    return any(offers(capabilities, task) for task in TASKS_OF[mode])


def fills_boxes(capabilities: Capabilities) -> bool | None:
    """None: no model has been heard of yet."""
    return None if capabilities is None else capabilities.get("box") is True


def colours(capabilities: Capabilities) -> bool | None:
    """None: no model has been heard of yet."""
    return None if capabilities is None else capabilities.get("color") is True


def lacking(capabilities: Capabilities) -> list[str]:
    """The panel's words for what the model does not do."""
    missing = [choice.label for mode, choice in MODES.items() if not mode_offered(capabilities, mode)]
    makes = [choice.label for task, choice in MAKES.items() if not offers(capabilities, task)]
    if mode_offered(capabilities, "WORDS"):
        missing = makes + missing
    return missing + ["Colour"] * (colours(capabilities) is False)
