"""The main job: a prompt becomes a .blend, a .glb and a .png through Blender, headless.

    python3.11 scripts/run.py "a round wooden table"

Makes its own environment on first use, then hands over to scripts/render_prompt.py inside it.
"""

from __future__ import annotations

import subprocess
import sys

import environment


def main() -> int:
    if len(sys.argv) < 2:
        sys.exit('Say what to make: python3.11 scripts/run.py "a round wooden table"')
    python = environment.ensure("blender")
    script = environment.ROOT / "scripts" / "render_prompt.py"
    return subprocess.run([str(python), str(script), *sys.argv[1:]], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
