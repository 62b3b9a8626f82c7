"""Light for pictures: the studio that keeps shapes readable, and a pool of set-ups to learn under any light.

A set-up is a few distant lights over an ambient gradient from zenith to ground, as a blurred HDRI would give.
Lights hang on the camera's frame, so that no set-up leaves what is seen in the dark.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.geometry import studio

POOL = 2000  # set-ups, as many as the paper's (section 3.3)
MOST_LIGHTS = 5
Color = tuple[float, float, float]  # linear
_LUMINANCE = np.array([0.2126, 0.7152, 0.0722])


@dataclass(frozen=True, kw_only=True)
class Light:
    """A light far away. A white wall that faces it shows `color`."""

    toward: Color  # unit vector in the camera's axes: right, up, backward
    color: Color
    wrap: float = 0.0  # 0: a point; 1: light reaches around to the far side, as a large soft box's does


@dataclass(frozen=True, kw_only=True)
class Lighting:
    """One set-up. Ambient colours are what a white wall shows that looks up, sideways and down."""

    lights: tuple[Light, ...]
    zenith: Color
    horizon: Color
    ground: Color
    rim: float = 0.1  # how much surfaces seen edge-on darken
    gloss: float = 1.0  # share of mirrored light; 0: all is matt, metal too


def _unit(*vector: float) -> Color:
    x, y, z = np.array(vector) / np.linalg.norm(vector)
    return float(x), float(y), float(z)


# Half-Lambert (Mitchell et al. 2006) keeps the shadow side readable; the sky stands in for occlusion.
STUDIO = Lighting(
    lights=tuple(
        Light(toward=_unit(*toward), color=(power, power, power), wrap=wrap)
        for toward, power, wrap in studio.LIGHTS
    ),
    zenith=(studio.ZENITH,) * 3,
    horizon=(studio.HORIZON,) * 3,
    ground=(studio.GROUND,) * 3,
    rim=studio.RIM,
    gloss=0.0,
)


def from_pool(index: int) -> Lighting:
    """Set-up `index` of the pool: one to five lights of several warmths and an ambient gradient."""
    if not 0 <= index < POOL:
        raise ValueError(f"the pool has the lighting set-ups 0..{POOL - 1}, not {index}")
    rng = np.random.default_rng([20, index])
    lights = [_key(rng), *(_further(rng) for _ in range(int(rng.choice(MOST_LIGHTS, p=_COUNTS))))]
    zenith = _warmth(rng, -0.7, 0.5) * rng.uniform(0.1, 0.5)
    horizon = (_warmth(rng, -0.2, 0.6) + zenith) / 2 * rng.uniform(0.4, 1.0)
    ground = _warmth(rng, -0.2, 0.6) * rng.uniform(0.02, 0.25) * horizon.max()
    # What faces the camera from a little above is well exposed, whatever the lights.
    facing = np.array(_unit(0.0, 0.3, 1.0))
    seen = sum(
        (np.array(light.color) * _reach(light, facing) for light in lights), 0.3 * zenith + 0.7 * horizon
    )
    scale = rng.uniform(0.6, 0.95) / float(np.dot(seen, _LUMINANCE))
    return Lighting(
        lights=tuple(
            Light(toward=light.toward, color=_color(np.array(light.color) * scale), wrap=light.wrap)
            for light in lights
        ),
        zenith=_color(zenith * scale),
        horizon=_color(horizon * scale),
        ground=_color(ground * scale),
    )


_COUNTS = (0.15, 0.3, 0.3, 0.15, 0.1)  # of lights beside the key


def _key(rng: np.random.Generator) -> Light:
    toward = _unit(rng.uniform(-1.2, 1.2), rng.uniform(0.15, 1.2), rng.uniform(0.3, 1.0))
    return Light(toward=toward, color=_color(_warmth(rng, -0.4, 0.8)), wrap=float(rng.uniform(0.1, 1.0)))


def _further(rng: np.random.Generator) -> Light:
    x, y, z = rng.normal(size=3)
    color = _warmth(rng, -0.9, 0.9) * rng.uniform(0.08, 0.5)
    return Light(toward=_unit(x, y + 0.4, z), color=_color(color), wrap=float(rng.uniform(0.0, 1.0)))


def _warmth(rng: np.random.Generator, cold: float, warm: float) -> NDArray[np.float64]:
    """White light between blue sky (-1) and lamp (1)."""
    t = rng.uniform(cold, warm)
    return np.array([1.0 + 0.28 * t, 1.0 + 0.02 * t, 1.0 - 0.38 * t])


def _reach(light: Light, normal: NDArray[np.float64]) -> float:
    """Share of a light that a wall with this normal shows, as the shader and `Light` have it."""
    across = float(np.dot(normal, light.toward))
    return float((max(across + light.wrap, 0.0) / (1.0 + light.wrap)) ** (1.0 + light.wrap))


def _color(values: NDArray[np.float64]) -> Color:
    red, green, blue = (round(float(value), 5) for value in values)
    return red, green, blue


def described(lighting: Lighting) -> dict[str, Any]:
    """JSON values, as Blender's process reads them."""
    return {
        "lights": [
            {"toward": light.toward, "color": light.color, "wrap": light.wrap} for light in lighting.lights
        ],
        "zenith": lighting.zenith,
        "horizon": lighting.horizon,
        "ground": lighting.ground,
        "gloss": lighting.gloss,
    }
