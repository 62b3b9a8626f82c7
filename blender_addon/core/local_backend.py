"""The backend on this computer: found, started as a child process, watched, restarted, ended with Blender."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import IO

from .endpoint import Endpoint, read_connection_file
from .keys import KeyPair
from .problems import Problem, ProblemError, local_problem

log = logging.getLogger("omni123.backend")

ENVIRONMENTS = (".omni123-venv", ".venv")
BUNDLED_WEIGHTS = Path("backend", "weights", "mini")
RESTARTS = 3
RESTART_DELAY = 1.0  # seconds from the end to the next start
START_TIMEOUT = 120.0  # seconds until it must have said where it listens
STABLE = 600.0  # seconds after which earlier restarts are forgotten
LOG_BYTES = 1 << 20


class BackendState(Enum):
    OFF = "off"
    STARTING = "starting"
    RUNNING = "running"
    RESTARTING = "restarting"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class Launch:
    """All it takes to start one. `state_dir` is private to its user; `options` are further arguments."""

    python: Path
    root: Path
    weights: Path
    state_dir: Path
    keys: KeyPair
    options: tuple[str, ...] = ()

    @property
    def connection_file(self) -> Path:
        """One for each Blender, so that two of them do not mix up their backends."""
        return self.state_dir / f"connection-{os.getpid()}.json"

    @property
    def key_file(self) -> Path:
        return self.state_dir / "blender.pub"

    @property
    def log_file(self) -> Path:
        return self.state_dir / "backend.log"

    def command(self) -> list[str]:
        return [
            *(str(self.python), "-m", "backend.cli", "serve"),
            *("--weights", str(self.weights)),
            *("--listen", "127.0.0.1:0"),
            *("--state-dir", str(self.state_dir)),
            *("--connection-file", str(self.connection_file)),
            *("--allow-key-file", str(self.key_file)),
            *("--exit-with-parent", str(os.getpid())),
            *self.options,
        ]


def find_root(preference: str, extension_root: Path) -> Path:
    """The folder that holds `backend/`: the chosen one, else the checkout this add-on runs from."""
    root = Path(preference) if preference else extension_root.resolve()
    if (root / "backend" / "cli.py").is_file():
        return root
    raise ProblemError(local_problem("no_backend_folder"))


def find_python(preference: str, root: Path) -> Path:
    """The chosen Python, else that of an environment in the backend's folder."""
    if preference:
        if Path(preference).is_file():
            return Path(preference)
        raise ProblemError(local_problem("no_python", sentence=f"There is no Python at {preference}."))
    inside = Path("Scripts", "python.exe") if sys.platform == "win32" else Path("bin", "python")
    for name in ENVIRONMENTS:
        if (root / name / inside).is_file():
            return root / name / inside
    raise ProblemError(local_problem("no_python"))


class LocalBackend:
    """Call `poll` every tick. `endpoint` is where it listens, None while it does not."""

    def __init__(self) -> None:
        self.state = BackendState.OFF
        self.endpoint: Endpoint | None = None
        self.problem: Problem | None = None
        self.restarts = 0
        self._launch: Launch | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0.0
        self._restart_at = 0.0
        self._log_start = 0

    @property
    def active(self) -> bool:
        return self.state in (BackendState.STARTING, BackendState.RUNNING, BackendState.RESTARTING)

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    @property
    def launch(self) -> Launch | None:
        """What it was started with last."""
        return self._launch

    def starting_for(self, now: float) -> float:
        return now - self._started

    def start(self, launch: Launch, now: float) -> None:
        """Does nothing while one runs. A failure to start shows as state FAILED with a problem."""
        if self.active:
            return
        self._launch, self.restarts, self.problem = launch, 0, None
        self._spawn(now)

    def poll(self, now: float) -> None:
        if self.state is BackendState.RESTARTING and now >= self._restart_at:
            self._spawn(now)
        if self._process is None or self._launch is None:
            return
        if self._process.poll() is not None:
            self._ended(now, self._process.returncode)
        elif self.state is BackendState.STARTING:
            self.endpoint = read_connection_file(self._launch.connection_file)
            if self.endpoint is not None:
                self.state = BackendState.RUNNING
            elif now - self._started > START_TIMEOUT:
                self.stop()
                self._fail(local_problem("backend_silent"))
        elif self.restarts and now - self._started > STABLE:
            self.restarts = 0

    def stop(self, patience: float = 3.0) -> None:
        """Ends the process, with force after `patience` seconds."""
        process, self._process = self._process, None
        self.state, self.endpoint = BackendState.OFF, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            log.warning("the backend did not end by itself")
            process.kill()
            process.wait()
        if self._launch is not None:
            self._launch.connection_file.unlink(missing_ok=True)

    def _spawn(self, now: float) -> None:
        launch = self._launch
        assert launch is not None, "start() sets it"
        self._started, self.endpoint = now, None
        try:
            launch.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            launch.connection_file.unlink(missing_ok=True)
            launch.key_file.write_text(f"{launch.keys.public} blender\n", encoding="ascii")
            with self._open_log(launch.log_file) as output:
                self._process = subprocess.Popen(
                    launch.command(),
                    cwd=launch.root,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env=_environment(),
                    creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
                )
        except OSError as error:
            log.exception("the backend could not be started")
            self._fail(local_problem("backend_start", hint=f"The system says: {error.strerror or error}."))
            return
        log.info("backend started, process %d", self._process.pid)
        self.state = BackendState.STARTING

    def _open_log(self, path: Path) -> IO[bytes]:
        if path.exists() and path.stat().st_size > LOG_BYTES:
            path.unlink()
        output = path.open("ab")
        self._log_start = output.tell()
        return output

    def _ended(self, now: float, code: int) -> None:
        """It ended by itself. One that never came up would not come up the next time either."""
        log.warning("the backend ended with code %s", code)
        came_up, self._process, self.endpoint = self.state is BackendState.RUNNING, None, None
        if not came_up:
            self._fail(local_problem("backend_start", hint=self._last_words() or None))
        elif self.restarts >= RESTARTS:
            self._fail(local_problem("backend_crashes"))
        else:
            self.restarts += 1
            self.state, self._restart_at = BackendState.RESTARTING, now + RESTART_DELAY
            self.problem = local_problem("backend_stopped")

    def _fail(self, problem: Problem) -> None:
        self.state, self.problem = BackendState.FAILED, problem

    def _last_words(self) -> str:
        """The last line it wrote: its own sentence when it refused to start."""
        assert self._launch is not None, "start() sets it"
        try:
            with self._launch.log_file.open("rb") as file:
                file.seek(self._log_start)
                lines = file.read(1 << 16).decode("utf-8", "replace").strip().splitlines()
        except OSError:
            return ""
        return f"It said: {lines[-1].strip()[:240]}" if lines else ""


def _environment() -> dict[str, str]:
    """Ours without what would point another Python at Blender's modules."""
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    return {**kept, "PYTHONUNBUFFERED": "1"}
