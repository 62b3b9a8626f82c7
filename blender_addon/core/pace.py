"""Progress and time as an artist reads them: one bar over all stages, a calm time left, throttles."""

from __future__ import annotations

from ...protocol.jobs import JobSpec
from ...protocol.tasks import VIEWS

# How long a stage lasts beside the others, as with the bundled model on a CPU.
WEIGHTS: dict[str, float] = {
    "sending": 0.2,
    "reading prompt": 0.1,
    "reading source": 0.3,
    "image tokens": 2.0,
    "shape tokens": 8.0,
    "surface": 1.0,
    "colour": 0.3,
    "receiving": 0.2,
}
# task -> what it writes, in order; "views" stands for a picture of each view asked for
CHAINS: dict[str, tuple[str, ...]] = {
    "text_to_shape": ("shape",),
    "text_to_image": ("image",),
    "text_to_image_shape": ("image", "shape"),
    "text_to_views_shape_views": ("image views", "shape", "views"),
    "image_to_shape": ("shape",),
    "edit_shape": ("shape",),
    "shape_to_views": ("views",),
}
SMOOTHING = 0.35  # weight of a new estimate of the time left


def stages(spec: JobSpec) -> list[str]:
    """The stages a backend will name, in order; those of one picture for each picture."""
    names = ["sending"] * bool(spec.inputs) + ["reading prompt"] + ["reading source"] * bool(spec.inputs)
    for part in CHAINS.get(spec.task, ()):
        if part == "shape":
            names += ["shape tokens", "surface"]
        else:
            count = {"image": 1, "image views": len(spec.image_views), "views": len(spec.views)}[part]
            names += ["image tokens"] * count
    if spec.color and "shape" in CHAINS.get(spec.task, ()):
        names += ["image tokens"] * len(VIEWS) + ["colour"]
    return [*names, "receiving"]


class Bar:
    """One bar over all stages of a job; it never goes back."""

    def __init__(self, spec: JobSpec) -> None:
        self._stages = stages(spec)
        self._weights = [WEIGHTS[name] for name in self._stages]
        self._place = 0  # which stage
        self._inside = 0.0  # 0..1 of it
        self.fraction = 0.0

    def advance(self, stage: str, done: int, total: int) -> float:
        """0..1; a stage that is not one of the job's, or is over, changes nothing."""
        inside = min(max(done / total, 0.0), 1.0) if total > 0 else 0.0
        place = self._place
        if self._stages[place] == stage and inside < self._inside:
            place += 1  # it begins anew: the next picture
        while place < len(self._stages) and self._stages[place] != stage:
            place += 1
        if place < len(self._stages):
            self._place, self._inside = place, inside
            reached = sum(self._weights[:place]) + self._weights[place] * inside
            self.fraction = max(self.fraction, reached / sum(self._weights))
        return self.fraction


def stage_words(stage: str, done: int, total: int) -> str:
    """ "Shape tokens 120/512"; a stage of one step has no count."""
    name = (stage[:40] or "working").capitalize()
    return f"{name} {done}/{total}" if total > 1 else name


def time_words(seconds: float | None) -> str:
    """ "8 s left", "2 min left", or nothing while there is no telling."""
    if seconds is None:
        return ""
    if seconds < 1:
        return "almost done"
    return f"{seconds:.0f} s left" if seconds < 90 else f"{seconds / 60:.0f} min left"


class TimeLeft:
    """Smooths the backend's estimates and counts down between them."""

    def __init__(self) -> None:
        self._end: float | None = None

    def update(self, now: float, seconds: float | None) -> None:
        if seconds is None:
            return
        end = now + max(seconds, 0.0)
        self._end = end if self._end is None else self._end + SMOOTHING * (end - self._end)

    def read(self, now: float) -> float | None:
        return None if self._end is None else max(self._end - now, 0.0)


class Throttle:
    """`ready()` at most once per `interval` seconds."""

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._next = float("-inf")

    def ready(self, now: float) -> bool:
        if now < self._next:
            return False
        self._next = now + self._interval
        return True
