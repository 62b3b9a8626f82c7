"""Draws that families make: one of several words, a size between two, yes or no."""

from __future__ import annotations

import numpy as np

Generator = np.random.Generator


def choose(rng: Generator, *options: str) -> str:
    """One of the options, each as likely."""
    return options[int(rng.integers(len(options)))]


def between(rng: Generator, low: float, high: float) -> float:
    return float(rng.uniform(low, high))


def count(rng: Generator, low: int, high: int) -> int:
    """A whole number from low to high, both included."""
    return int(rng.integers(low, high + 1))


def chance(rng: Generator, probability: float = 0.5) -> bool:
    return bool(rng.random() < probability)
