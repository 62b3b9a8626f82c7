"""Viewpoint and light for each picture, so that shapes can be made of it (paper, section 3.5, step 2)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from training.data.rendering.cameras import CANONICAL
from training.data.steps import seed_of
from training.data.synthesis.interface import PictureRequest

# Words -> the view token that says the same, to a model that has them.
VIEWPOINTS: dict[str, str | None] = {
    "front view": "front",
    "view from the left side": "left",
    "view from the right side": "right",
    "three-quarter view from slightly above": None,
    "three-quarter view at eye level": None,
}
LIGHTINGS = (
    "soft studio lighting",
    "even diffuse lighting",
    "soft light from the upper left",
    "soft light from the upper right",
    "bright overcast light",
)


def _alike() -> dict[str, float]:
    return {
        "front view": 3.0,
        "three-quarter view from slightly above": 1.0,
        "three-quarter view at eye level": 1.0,
    }


@dataclass(frozen=True, kw_only=True)
class AugmentationSettings:
    """What may be asked for beside the object, and how often."""

    viewpoints: dict[str, float] = field(default_factory=_alike)  # words of VIEWPOINTS and their weights
    lightings: tuple[str, ...] = LIGHTINGS
    framing: str = "the whole object in the middle of the picture, plain white background"

    def __post_init__(self) -> None:
        if unknown := [words for words in self.viewpoints if words not in VIEWPOINTS]:
            raise ValueError(f"{unknown[0]!r} is no viewpoint: choose from {', '.join(VIEWPOINTS)}")
        if not self.viewpoints or min(self.viewpoints.values()) < 0 or sum(self.viewpoints.values()) <= 0:
            raise ValueError("viewpoints must have weights, and one of them more than 0")
        if not self.lightings:
            raise ValueError("there must be one lighting at least")


def augmented(prompt: str, number: int, settings: AugmentationSettings) -> PictureRequest:
    """Picture `number` of a prompt: what the prompt's words and the number decide, for ever the same."""
    rng = np.random.default_rng(seed_of(prompt, str(number), "picture"))
    weights = np.array(list(settings.viewpoints.values()), np.float64)
    viewpoint = list(settings.viewpoints)[int(rng.choice(len(weights), p=weights / weights.sum()))]
    return PictureRequest(
        prompt=prompt,
        viewpoint=viewpoint,
        lighting=settings.lightings[int(rng.integers(len(settings.lightings)))],
        framing=settings.framing,
        view=VIEWPOINTS[viewpoint],
        seed=int(rng.integers(2**31)),
    )


assert {view for view in VIEWPOINTS.values() if view} <= set(CANONICAL)
