"""The one Session of this Blender, and what it needs to know from the preferences."""

from __future__ import annotations

import logging
import time
from logging.handlers import RotatingFileHandler
from pathlib import Path

import bpy

from .core.connection import State
from .core.endpoint import Endpoint, parse_pairing
from .core.local_backend import BUNDLED_WEIGHTS, BackendState, Launch, find_python, find_root
from .core.problems import ProblemError, local_problem
from .core.session import Session
from .preferences import ROOT_PACKAGE, addon_preferences

VERSION = "0.1.0"
EXTENSION_ROOT = Path(__file__).parents[1]
LOGGER = logging.getLogger("omni123")

_session: Session | None = None
_log_handler: logging.Handler | None = None


def start() -> None:
    global _session, _log_handler
    folder = Path(bpy.utils.extension_path_user(ROOT_PACKAGE, create=True))
    _log_handler = RotatingFileHandler(
        folder / "addon.log", maxBytes=1 << 20, backupCount=1, encoding="utf-8"
    )
    _log_handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    LOGGER.addHandler(_log_handler)
    LOGGER.setLevel(logging.INFO)
    LOGGER.propagate = False
    _session = Session(folder, VERSION)


def stop() -> None:
    global _session, _log_handler
    if _session is not None:
        _session.close()
        _session = None
    if _log_handler is not None:
        LOGGER.removeHandler(_log_handler)
        _log_handler.close()
        _log_handler = None


def session() -> Session:
    assert _session is not None, "the add-on is not registered"
    return _session


def running() -> bool:
    return _session is not None


def remote_endpoint() -> Endpoint | None:
    """The server of the preferences; None: this computer. Raises ProblemError("bad_endpoint")."""
    text = addon_preferences().server.strip()
    return parse_pairing(text) if text else None


def launch() -> Launch:
    """How to start the backend on this computer. Raises ProblemError when that is not known."""
    preferences = addon_preferences()
    root = find_root(bpy.path.abspath(preferences.root), EXTENSION_ROOT)
    weights = bpy.path.abspath(preferences.weights)
    return Launch(
        python=find_python(bpy.path.abspath(preferences.python), root),
        root=root,
        weights=Path(weights) if weights else root / BUNDLED_WEIGHTS,
        state_dir=session().folder / "backend",
        keys=session().keys,
        options=tuple(preferences.options.split()),
    )


def connect(*, start: bool = True) -> None:
    """Makes sure that there is, or will be, a connection. Raises ProblemError.

    Without `start`, a backend that does not run is a problem rather than started.
    """
    remote = remote_endpoint()
    if remote is None and not start and not session().backend.active:
        raise ProblemError(local_problem("not_running"))
    session().connect(remote, launch, bpy.app.online_access, time.monotonic())


def warm_up() -> None:
    """Starts what Generate will need, once and quietly: what stands in the way is said when it is pressed."""
    if not running() or not addon_preferences().autostart:
        return
    untried = session().backend.state is BackendState.OFF and session().connection.state is State.OFF
    if not untried:
        return
    try:
        connect()
    except ProblemError as error:
        LOGGER.info("not started ahead: %s", error)
