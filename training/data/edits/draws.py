"""Draws of a procedural family noted and repeated with one of them changed: the same object but for that."""

from __future__ import annotations

import sys
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from training.data import synthetic

_FAMILIES = str(Path(synthetic.__file__).parent)
_CERTAIN, _IMPOSSIBLE = 1e-6, 1 - 1e-6  # a uniform number that makes `random() < p` true, or false
_MOST_ALTERNATIVES = 12
Site = tuple[Any, ...]  # the lines of the family that drew, innermost first


@dataclass(frozen=True, kw_only=True)
class Draw:
    """One number, word or array that a family asked for."""

    site: Site
    method: str
    arguments: tuple[Any, ...]
    value: Any

    def alternatives(self) -> list[Any]:
        """What else it could have been, where that is another thing and not another size."""
        if self.method == "integers" and np.ndim(self.value) == 0:
            low, high = (0, *self.arguments)[-2:]
            values = list(range(int(low), int(high)))
        elif self.method == "choice" and len(self.arguments) == 1:
            values = list(dict.fromkeys(np.asarray(self.arguments[0]).tolist()))
        elif self.method == "random" and not self.arguments:
            return [_CERTAIN, _IMPOSSIBLE]
        else:
            return []
        others = [value for value in values if value != self.value]
        return others if len(others) <= _MOST_ALTERNATIVES else []


class Draws:
    """Stands in for a generator: repeats what `earlier` drew at the same place, else draws anew.

    Draws are matched by the lines of the family they come from, so that a branch which only the changed
    object takes does not shift the others.
    """

    def __init__(self, rng: np.random.Generator, earlier: Sequence[Draw] = ()) -> None:
        self._rng = rng
        self._known: dict[tuple[Site, str], deque[Draw]] = defaultdict(deque)
        for draw in earlier:
            self._known[draw.site, draw.method].append(draw)
        self.made: list[Draw] = []

    def as_generator(self) -> np.random.Generator:
        return cast(np.random.Generator, self)

    def __getattr__(self, method: str) -> Callable[..., Any]:
        real = getattr(self._rng, method)

        def drawn(*arguments: Any, **named: Any) -> Any:
            site = _site()
            asked = (*arguments, *named.values())
            known = self._known[site, method]
            value = _again(known.popleft(), asked) if known else None
            if value is None:
                value = real(*arguments, **named)
            plain = value.item() if isinstance(value, np.generic) else value
            self.made.append(Draw(site=site, method=method, arguments=asked, value=plain))
            return value

        return drawn


def _again(draw: Draw, asked: tuple[Any, ...]) -> Any:
    """The draw's value; as far along another range where the range changed; None where it cannot be."""
    if repr(draw.arguments) == repr(asked):
        return draw.value
    if draw.method == "uniform" and np.ndim(draw.value) == 0 and len(draw.arguments) == len(asked) == 2:
        (low, high), (new_low, new_high) = draw.arguments, asked
        share = (draw.value - low) / (high - low) if high > low else 0.5
        return new_low + share * (new_high - new_low)
    return None


def _site() -> Site:
    frame = sys._getframe(2)
    lines: list[Any] = []
    while frame is not None and frame.f_code.co_filename.startswith(_FAMILIES):
        lines.append((frame.f_code.co_name, frame.f_lineno))
        frame = cast(Any, frame.f_back)
    return tuple(lines)
