"""The built zip in a real Blender window, driven by simulated clicks, with pictures to look at.

    python scripts/gui_check.py --blender BLENDER --python PYTHON [--shots out/gui] [--weights DIR]

Needs Xvfb. PYTHON is what the backend runs with. Installs the zip as a user would, types a prompt, clicks
Generate, waits for the mesh, undoes it, asks again and cancels. Ends with 0 when all of it went well.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import build_extension

ROOT = Path(__file__).resolve().parents[1]
SCREEN = (1600, 1000)
TIMEOUT = 300.0  # seconds for all steps


@contextmanager
def virtual_screen(folder: Path) -> Iterator[str]:
    """The DISPLAY of an Xvfb whose picture is kept in folder/Xvfb_screen0."""
    reading, writing = os.pipe()
    size = "x".join(str(side) for side in (*SCREEN, 24))
    command = [
        "Xvfb",
        "-displayfd",
        str(writing),
        "-screen",
        "0",
        size,
        "-fbdir",
        str(folder),
        "-nolisten",
        "tcp",
    ]
    process = subprocess.Popen(command, pass_fds=(writing,), stderr=subprocess.DEVNULL)
    os.close(writing)
    try:
        with os.fdopen(reading) as answer:
            yield f":{answer.readline().strip()}"
    finally:
        process.terminate()
        process.wait()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--blender", required=True, help="Blender's executable")
    parser.add_argument("--python", default=sys.executable, help="Python of the backend")
    parser.add_argument("--zip", type=Path, help="default: built now")
    parser.add_argument("--shots", type=Path, default=ROOT / "out" / "gui")
    parser.add_argument("--weights", default="")
    parser.add_argument("--backend-options", default="")
    parser.add_argument("--prompt", default="a round wooden table")
    arguments = parser.parse_args()
    shots = arguments.shots.resolve()
    shots.mkdir(parents=True, exist_ok=True)
    archive = arguments.zip or build_extension.build(ROOT / "dist")
    with tempfile.TemporaryDirectory(prefix="omni123-gui-") as name:
        folder = Path(name)
        home = folder / "home"
        home.mkdir()
        with virtual_screen(folder) as display:
            settings = {
                "HOME": str(home),
                "DISPLAY": display,
                "OMNI123_GUI_FRAMEBUFFER": str(folder / "Xvfb_screen0"),
                "OMNI123_GUI_SHOTS": str(shots),
                "OMNI123_GUI_PYTHON": arguments.python,
                "OMNI123_GUI_ROOT": str(ROOT),
                "OMNI123_GUI_WEIGHTS": arguments.weights,
                "OMNI123_GUI_OPTIONS": arguments.backend_options,
                "OMNI123_GUI_PROMPT": arguments.prompt,
            }
            environment = {**os.environ, **settings}
            install = [
                "--command",
                "extension",
                "install-file",
                "-r",
                "user_default",
                "--enable",
                str(archive),
            ]
            subprocess.run([arguments.blender, *install], env=environment, check=True)
            drive = [
                *("--enable-event-simulate", "--window-geometry", "0", "0", *map(str, SCREEN)),
                *("--python", str(ROOT / "scripts" / "gui_steps.py")),
            ]
            return subprocess.run(
                [arguments.blender, *drive], env=environment, check=False, timeout=TIMEOUT
            ).returncode


if __name__ == "__main__":
    sys.exit(main())
