"""Progress and time as an artist reads them: one bar over all stages, a calm time left, throttles."""

from __future__ import annotations

# Share of the bar, from .. to, of the stages a pipeline names: as they last with the bundled model on a CPU.
# The stages of tokens share what lies between reading and the surface.
SPANS: dict[str, tuple[float, float]] = {
    "reading prompt": (0.0, 0.02),
    "reading source": (0.0, 0.02),
    "surface": (0.90, 0.98),
    "receiving": (0.98, 1.0),
}
TOKENS = (0.02, 0.90)
# task -> its stages of tokens, in order
TOKEN_STAGES: dict[str, tuple[str, ...]] = {
    "text_to_shape": ("shape tokens",),
    "text_to_image": ("image tokens",),
    "text_to_image_shape": ("image tokens", "shape tokens"),
}
SMOOTHING = 0.35  # weight of a new estimate of the time left


def bar_fraction(stage: str, done: int, total: int, task: str = "text_to_shape") -> float | None:
    """0..1 over the whole job; None for a stage we do not know."""
    stages = TOKEN_STAGES.get(task, ())
    if stage in stages:
        share = (TOKENS[1] - TOKENS[0]) / len(stages)
        low = TOKENS[0] + stages.index(stage) * share
        span = (low, low + share)
    elif stage in SPANS:
        span = SPANS[stage]
    else:
        return None
    inside = min(max(done / total, 0.0), 1.0) if total > 0 else 0.0
    return span[0] + (span[1] - span[0]) * inside


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
