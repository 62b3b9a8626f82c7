"""The project's own Python environment, made on first use from the pins in pyproject.toml.

Standard library only.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".omni123-venv"
PYTHON = (3, 11)


def executable(folder: Path) -> Path:
    """The interpreter of a virtual environment on this system."""
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def ensure(extras: str) -> Path:
    """An interpreter that has the project and these extras installed; quick when nothing changed.

    Exits with one sentence when no Python 3.11 is at hand or an installation fails.
    """
    python, stamp = executable(FOLDER), FOLDER / f"installed-{extras.replace(',', '-')}"
    wanted = hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest()
    if python.exists() and stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return python
    if not python.exists():
        print(f"Making {FOLDER.name} (once; a few minutes) ...", flush=True)
        _call([_python_311(), "-m", "venv", str(FOLDER)], "The virtual environment could not be made.")
    _call(
        [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-e", f".[{extras}]"],
        "Installing failed; the lines above say which package. Check the network and run this again.",
    )
    stamp.write_text(wanted, encoding="utf-8")
    return python


def _python_311() -> str:
    if sys.version_info[:2] == PYTHON:
        return sys.executable
    found = shutil.which("python3.11")
    if found is None:
        sys.exit("This needs Python 3.11, as Blender does; install it and start this script with it.")
    return found


def _call(command: list[str], failure: str) -> None:
    if subprocess.run(command, cwd=ROOT, check=False).returncode:
        sys.exit(failure)
