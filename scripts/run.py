"""The main job: a prompt becomes a .blend, a .glb and a .png through Blender, headless.

    python3.11 scripts/run.py "a round wooden table"

Makes its own environment on first use (or takes the Python given by --python), then hands everything else
over to scripts/render_prompt.py inside it.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import environment


def main() -> int:
    if len(sys.argv) < 2:
        sys.exit('Say what to make: python3.11 scripts/run.py "a round wooden table"')
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--python", type=Path)
    chosen, rest = parser.parse_known_args()
    python = chosen.python or environment.ensure("blender")
    script = environment.ROOT / "scripts" / "render_prompt.py"
    return subprocess.run([str(python), str(script), *rest], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
