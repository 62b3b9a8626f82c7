"""A captioner's server and six plain pictures."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from tests.training.data.captions.told import Server, Told
from training.data.rendering.cameras import CANONICAL


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    running = Server(Told())
    yield running
    running.close()


@pytest.fixture
def pictures() -> dict[str, np.ndarray]:  # type: ignore[type-arg]
    return {name: np.full((8, 8, 3), 40 * number, np.uint8) for number, name in enumerate(CANONICAL)}
