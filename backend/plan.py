"""What a request comes to: its sequence's layout and settings, or the sentence that says what to change."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from backend.coloring import NEEDED, Coloring, coloring
from backend.events import Request
from backend.failures import RequestError
from backend.model.text import TextEncoder
from backend.sampling import SamplingSettings
from backend.sequence import Layout
from backend.tasks import TASKS, Task

CELLS = 96  # surface grid along one axis, where the request names none
FINE_CELLS = 128  # the same where the surface holds an artist's own details, or colours
LEAST_CELLS, MOST_CELLS = 16, 512
LEAST_FACES = 16
_SAMPLING = ("guidance", "source_guidance", "temperature", "top_p")


@dataclass(frozen=True, kw_only=True)
class Offer:
    """What a loaded model can be asked for."""

    tasks: Collection[str]  # names in backend.tasks.TASKS
    text: TextEncoder
    defaults: SamplingSettings
    own: Mapping[str, SamplingSettings] = field(default_factory=dict)  # of tasks that have others
    box: bool  # takes the sides of a bounding box

    def sampling(self, task: str) -> SamplingSettings:
        """What a request of this task is drawn with where it does not say."""
        return self.own.get(task, self.defaults)

    @property
    def color(self) -> bool:
        """Whether shapes can come with colours."""
        return NEEDED in self.tasks


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A request that the model can serve."""

    request: Request
    layout: Layout
    settings: SamplingSettings
    cells: int  # surface grid cells along one axis
    coloring: Coloring | None = None  # None: without colours, but for those of a source


def plan(request: Request, offer: Offer) -> Plan:
    """Raises RequestError: what is wrong with the request, and what to do."""
    if request.task not in offer.tasks:
        raise RequestError(
            "unknown_task",
            f"This model cannot do {request.task!r}.",
            f"Choose a task it offers: {', '.join(offer.tasks)}.",
        )
    task = TASKS[request.task]
    _check_prompt(request.prompt, task, offer.text)
    _check_options(request, offer)
    try:
        layout = task.layout(request.image_views, request.views)
        wanted = {name: getattr(request, name) for name in _SAMPLING if getattr(request, name) is not None}
        settings = replace(offer.sampling(request.task), seed=request.seed, **wanted)
        painting = replace(offer.defaults, seed=request.seed, **wanted)
        if layout.prefix and not request.prompt.strip() and request.source_guidance is None:
            # Without words the source is all there is to follow.
            settings = replace(settings, source_guidance=settings.guidance)
    except ValueError as error:
        raise RequestError("bad_option", f"{error}.", "Change that setting and try again.") from error
    _check_sources(request, layout)
    makes_shape = any(segment.modality == "shape" for segment in layout.targets)
    paint = request.color and makes_shape
    return Plan(
        request=request,
        layout=layout,
        settings=settings,
        cells=request.cells or (FINE_CELLS if paint or (makes_shape and request.mesh) else CELLS),
        coloring=coloring(request, layout, painting, offer.tasks) if paint else None,
    )


def _check_prompt(prompt: str, task: Task, text: TextEncoder) -> None:
    if task.needs_text and not prompt.strip():
        raise RequestError(
            "empty_prompt", "The prompt is empty.", "Type what to make, such as: a round table."
        )
    length, limit = text.count_tokens(prompt), text.max_tokens
    if length > limit:
        raise RequestError(
            "too_long", f"The prompt has {length} word pieces and {limit} fit.", "Shorten it to one sentence."
        )


def _check_options(request: Request, offer: Offer) -> None:
    if request.cells is not None and not LEAST_CELLS <= request.cells <= MOST_CELLS:
        _refuse(f"Detail is {request.cells} cells.", f"Set it between {LEAST_CELLS} and {MOST_CELLS}.")
    if request.faces is not None and request.faces < LEAST_FACES:
        _refuse(f"{request.faces} faces make no shape.", f"Ask for {LEAST_FACES} or more.")
    if request.smoothing is not None and not 0 <= request.smoothing <= 1:
        _refuse(f"Smoothing is {request.smoothing}.", "Set it between 0 and 1.")
    if request.color and not offer.color:
        _refuse("This model cannot colour shapes.", "Ask without colour.")
    if request.box is None:
        return
    if not offer.box:
        _refuse("This model takes no bounding box.", "Leave the box out, or choose a model that takes one.")
    if not all(math.isfinite(side) and side > 0 for side in request.box):
        _refuse(f"The box {request.box} has a side that is not positive.", "Give it three positive sides.")


def _check_sources(request: Request, layout: Layout) -> None:
    modalities = [segment.modality for segment in layout.prefix]
    if len(request.images) != modalities.count("image"):
        wanted = modalities.count("image")
        _refuse(f"{request.task} takes {wanted} images, not {len(request.images)}.", "Add or remove images.")
    if request.tokens is not None and TASKS[request.task].stage == "edit":
        _refuse("An edit needs the object's mesh: its tokens leave no room to add to.", "Send its mesh.")
    given = (request.mesh is not None) + (request.tokens is not None)
    if given != modalities.count("shape"):
        wanted_shape = "one source shape" if "shape" in modalities else "no source shape"
        _refuse(f"{request.task} takes {wanted_shape}.", "Select one mesh, or none.")


def _refuse(message: str, hint: str) -> None:
    raise RequestError("bad_option", message, hint)
