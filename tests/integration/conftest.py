"""One backend for the tests of a file and a client of it; the extension enabled in Blender."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from backend.server.client import Client
from tests.integration.serving import Backend, running


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    with running(tmp_path_factory.mktemp("backend")) as started:
        yield started


@pytest.fixture
def client(backend: Backend) -> Iterator[Client]:
    with backend.ready_client() as connected:
        yield connected


@pytest.fixture(scope="module")
def preferences(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The enabled extension's, set to a backend whose model is a sphere."""
    from tests.integration.in_blender import SPHERE, blender_session

    weights = tmp_path_factory.mktemp("weights")
    (weights / "state").write_text("ready")
    preferences = blender_session.enable()
    preferences.weights, preferences.options = str(weights), SPHERE
    yield preferences
    blender_session.disable()
    import bpy

    assert not hasattr(bpy.types.Scene, "omni123")
