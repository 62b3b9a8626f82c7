"""Every task as a row of data: what the user gives is a source segment, what the model writes is a target.

Decoding and training lay out their sequences from the same rows (paper Tables 4 and 7, sections 4.5 and 5).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from backend.sequence import VIEWS, Layout, Modality, Segment

# What a place in a task's sequence stands for. "given" is an image of the user's, with its view where that is
# known. The posed images of "given views" and "views before" are named by `image_views`, others by `views`.
Slot = Literal["shape", "image", "given", "given views", "view", "views", "views before", "views after"]
Stage = Literal["pt", "ct", "sft", "edit"]

# Slot -> the least and the most views it takes.
_OF_IMAGE_VIEWS: dict[Slot, tuple[int, int]] = {
    "given": (0, 1),
    "given views": (1, len(VIEWS)),
    "views before": (1, len(VIEWS)),
}
_OF_VIEWS: dict[Slot, tuple[int, int]] = {
    "view": (1, 1),
    "views": (1, len(VIEWS)),
    "views after": (0, len(VIEWS) - 1),
}


@dataclass(frozen=True, kw_only=True)
class Task:
    """One row."""

    name: str
    stage: Stage  # pre-training, continued training, supervised fine-tuning or editing
    prefix: tuple[Slot, ...] = ()
    targets: tuple[Slot, ...]
    needs_text: bool = False  # words say what to make; elsewhere they are optional

    @property
    def modalities(self) -> frozenset[Modality]:
        """What its sequences hold."""
        slots = (*self.prefix, *self.targets)
        return frozenset("shape" if slot == "shape" else "image" for slot in slots)

    @property
    def uses_views(self) -> bool:
        """Whether it cannot do without view tokens."""
        return any(slot not in ("shape", "image", "given") for slot in (*self.prefix, *self.targets))

    def layout(self, image_views: Sequence[str] = (), views: Sequence[str] = ()) -> Layout:
        """Segments for the views of given (or first drawn) images and the views to make after them.

        Raises ValueError with a sentence when they are not what the task takes.
        """
        self._check("views of images", image_views, _OF_IMAGE_VIEWS)
        self._check("views", views, _OF_VIEWS)
        both = [*image_views, *views]  # there are six, so N + M <= 6 in Table 7
        if len(set(both)) < len(both):
            raise ValueError(f"{self.name} takes each view once: {', '.join(both)}")
        return Layout(
            prefix=tuple(part for slot in self.prefix for part in _segments(slot, image_views, views)),
            targets=tuple(part for slot in self.targets for part in _segments(slot, image_views, views)),
        )

    def _check(self, what: str, named: Sequence[str], slots: dict[Slot, tuple[int, int]]) -> None:
        least, most = next((slots[s] for s in (*self.prefix, *self.targets) if s in slots), (0, 0))
        if unknown := [view for view in named if view not in VIEWS]:
            raise ValueError(f"{unknown[0]!r} is no view: choose from {', '.join(VIEWS)}")
        if not least <= len(named) <= most:
            wanted = str(least) if least == most else f"{least} to {most}"
            raise ValueError(f"{self.name} takes {wanted} {what}, not {len(named)}")


def _segments(slot: Slot, image_views: Sequence[str], views: Sequence[str]) -> list[Segment]:
    if slot in ("shape", "image"):
        return [Segment("shape" if slot == "shape" else "image")]
    if slot == "given" and not image_views:
        return [Segment("image")]
    return [Segment("image", view) for view in (image_views if slot in _OF_IMAGE_VIEWS else views)]


_ROWS = (
    # Pre-training, Table 4; text is optional where there is a source.
    Task(name="text_to_image", stage="pt", targets=("image",), needs_text=True),
    Task(name="text_to_shape", stage="pt", targets=("shape",), needs_text=True),
    Task(name="image_to_shape", stage="pt", prefix=("given",), targets=("shape",)),
    Task(name="shape_to_image", stage="pt", prefix=("shape",), targets=("image",)),
    # Continued training, section 4.5: a source image carries its own view token.
    Task(name="image_to_view", stage="ct", prefix=("given",), targets=("view",)),
    Task(name="shape_to_view", stage="ct", prefix=("shape",), targets=("view",)),
    Task(name="text_to_view", stage="ct", targets=("view",), needs_text=True),
    # Interleaved fine-tuning, Table 7.
    Task(name="text_to_image_shape", stage="sft", targets=("image", "shape"), needs_text=True),
    Task(name="text_to_shape_view", stage="sft", targets=("shape", "view"), needs_text=True),
    Task(name="views_to_shape", stage="sft", prefix=("given views",), targets=("shape",)),
    Task(name="shape_to_views", stage="sft", prefix=("shape",), targets=("views",)),
    Task(
        name="text_to_views_shape_views",
        stage="sft",
        targets=("views before", "shape", "views after"),
        needs_text=True,
    ),
    # Editing, section 5: the instruction is the text.
    Task(name="edit_shape", stage="edit", prefix=("shape",), targets=("shape",), needs_text=True),
)
TASKS: dict[str, Task] = {task.name: task for task in _ROWS}


def tasks_of(stage: Stage) -> tuple[Task, ...]:
    """What a stage trains: continued training keeps the pre-training tasks, the others have their own."""
    stages = ("pt", "ct") if stage == "ct" else (stage,)
    return tuple(task for task in TASKS.values() if task.stage in stages)
