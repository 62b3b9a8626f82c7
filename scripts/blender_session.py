"""Blender as a Python module, with the extension enabled from this checkout as a true extension.

Import before bpy: it points Blender's settings at a folder of its own, so that the user's are left alone.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import sys
import tempfile
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
MODULE = "bl_ext.dev.omni123"

_folder = Path(tempfile.mkdtemp(prefix="omni123-blender-"))
os.environ["BLENDER_USER_RESOURCES"] = str(_folder / "user")

import bpy  # noqa: E402  (after the environment is set)

import addon_utils  # isort: skip  # noqa: E402  (bpy brings it)


def enable() -> Any:
    """The add-on's preferences, also after it was disabled."""
    _install()
    if addon_utils.enable(MODULE, default_set=True) is None:
        raise SystemExit("The extension could not be enabled; the lines above say why.")
    preferences = bpy.context.preferences.addons[MODULE].preferences
    preferences.python = sys.executable  # the backend runs in this same environment
    return preferences


@cache
def _install() -> None:
    """Once a process. The extension's folder is a link: its name must be the extension's id."""
    link = _folder / "repository" / "omni123"
    link.parent.mkdir()
    _link_folder(link, ROOT)
    atexit.register(_clean_up, link)
    bpy.context.preferences.extensions.repos.new(
        name="dev", module="dev", custom_directory=str(link.parent), source="USER"
    )


def disable() -> None:
    addon_utils.disable(MODULE, default_set=True)


def submodule(name: str) -> ModuleType:
    """A module of the running add-on, such as "runtime"."""
    return sys.modules[f"{MODULE}.blender_addon.{name}"]


def _link_folder(link: Path, target: Path) -> None:
    """A symbolic link; on Windows a junction, which needs no rights."""
    if sys.platform == "win32":
        import _winapi

        _winapi.CreateJunction(str(target), str(link))
    else:
        link.symlink_to(target, target_is_directory=True)


def _clean_up(link: Path) -> None:
    """The link first, so that what it points to is left alone."""
    with contextlib.suppress(OSError):
        link.rmdir() if sys.platform == "win32" else link.unlink()
        shutil.rmtree(_folder, ignore_errors=True)
