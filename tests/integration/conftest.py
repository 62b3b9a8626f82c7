"""One backend for the tests of a file, and a client of it."""

from __future__ import annotations

from collections.abc import Iterator

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
