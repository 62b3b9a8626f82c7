"""The backend as a child process, with a stand-in that behaves as told by a file."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from omni123_extension.blender_addon.core.endpoint import Endpoint, parse_pairing, read_connection_file
from omni123_extension.blender_addon.core.keys import load_or_create
from omni123_extension.blender_addon.core.local_backend import (
    BackendState,
    Launch,
    LocalBackend,
    find_python,
    find_root,
)
from omni123_extension.blender_addon.core.problems import ProblemError

KEY = "k" * 40
STAND_IN = """
import json, pathlib, sys, time
arguments = dict(zip(sys.argv[2::2], sys.argv[3::2]))
if pathlib.Path("refuse").exists():
    sys.exit("The weights are not there.")
connection = pathlib.Path(arguments["--connection-file"])
connection.write_text(json.dumps({"url": "tcp://127.0.0.1:5", "server_key": "k" * 40}))
time.sleep(0.5 if pathlib.Path("crash").exists() else 60)
"""

pytestmark = pytest.mark.timeout(30)


@pytest.fixture
def launch(tmp_path: Path) -> Launch:
    root = tmp_path / "root"
    (root / "backend").mkdir(parents=True)
    (root / "backend" / "cli.py").write_text(STAND_IN)
    keys = load_or_create(tmp_path / "keys")
    return Launch(
        python=Path(sys.executable), root=root, weights=root, state_dir=tmp_path / "state", keys=keys
    )


@pytest.fixture
def backend() -> Iterator[LocalBackend]:
    backend = LocalBackend()
    yield backend
    backend.stop(patience=1.0)


def poll_until(backend: LocalBackend, condition: Callable[[], bool]) -> None:
    while not condition():
        backend.poll(time.monotonic())
        time.sleep(0.01)


def test_it_says_where_it_listens_and_ends_with_us(backend: LocalBackend, launch: Launch) -> None:
    backend.start(launch, time.monotonic())
    assert backend.state is BackendState.STARTING
    poll_until(backend, lambda: backend.endpoint is not None)
    assert backend.endpoint == Endpoint("tcp://127.0.0.1:5", KEY)
    assert launch.key_file.read_text() == f"{launch.keys.public} blender\n"
    backend.stop(patience=1.0)
    assert backend.state is BackendState.OFF
    assert not launch.connection_file.exists()


def test_one_that_refuses_to_start_is_quoted(backend: LocalBackend, launch: Launch) -> None:
    (launch.root / "refuse").touch()
    backend.start(launch, time.monotonic())
    poll_until(backend, lambda: not backend.active)
    assert backend.state is BackendState.FAILED
    assert backend.problem.code == "backend_start"
    assert "The weights are not there." in backend.problem.hint


def test_one_that_keeps_stopping_is_started_three_times_more(
    backend: LocalBackend, launch: Launch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules[LocalBackend.__module__], "RESTART_DELAY", 0.0)
    backend.start(launch, time.monotonic())
    poll_until(backend, lambda: backend.state is BackendState.RUNNING)
    (launch.root / "crash").touch()
    backend._process.kill()
    poll_until(backend, lambda: not backend.active)
    assert backend.restarts == 3
    assert backend.state is BackendState.FAILED
    assert backend.problem.code == "backend_crashes"


def test_a_python_that_cannot_run_is_a_problem(backend: LocalBackend, launch: Launch) -> None:
    broken = Launch(**{**vars(launch), "python": launch.root / "no-such-python"})
    backend.start(broken, time.monotonic())
    assert backend.state is BackendState.FAILED
    assert backend.problem.sentence == "The backend did not start."


def test_python_and_folder_are_found_or_named_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ProblemError, match="backend was not found"):
        find_root("", tmp_path)
    with pytest.raises(ProblemError, match="No Python was found"):
        find_python("", tmp_path)
    with pytest.raises(ProblemError, match="There is no Python at"):
        find_python(str(tmp_path / "nothing"), tmp_path)
    inside = tmp_path / ".venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    inside.parent.mkdir(parents=True)
    inside.touch()
    assert find_python("", tmp_path) == inside


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps a user's files private by other means")
def test_keys_are_made_once_and_private(tmp_path: Path) -> None:
    first, again = load_or_create(tmp_path), load_or_create(tmp_path)
    assert first == again
    assert first.secret not in repr(first)
    assert (tmp_path / "client_key.json").stat().st_mode & 0o777 == 0o600


def test_a_pairing_line_is_read_and_a_bad_one_named(tmp_path: Path) -> None:
    key = "#/" + "x" * 38
    assert parse_pairing(f" omni123://gpu.example:7123/#{key}\n") == Endpoint("tcp://gpu.example:7123", key)
    for text in (
        "",
        "tcp://x:1",
        f"omni123://x:0/#{key}",
        "omni123://x:1/#short",
        f"omni123://x:99999/#{key}",
    ):
        with pytest.raises(ProblemError, match="address cannot be read"):
            parse_pairing(text)


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("tcp://127.0.0.1:5", True),
        ("tcp://[::1]:5", True),
        ("tcp://localhost:5", True),
        ("tcp://10.0.0.1:5", False),
        ("tcp://127.0.0.1.example:5", False),
    ],
)
def test_only_this_computer_counts_as_local(tmp_path: Path, url: str, local: bool) -> None:
    assert Endpoint(url, KEY).is_loopback is local
    path = tmp_path / "connection.json"
    path.write_text(json.dumps({"url": url, "server_key": KEY}))
    assert (read_connection_file(path) is not None) is local
