"""Run everything that must pass, in the project's own environment.

python3.11 scripts/test.py [pytest arguments]
"""

from __future__ import annotations

import subprocess
import sys

import environment

CHECKS = (["ruff", "format", "--check", "."], ["ruff", "check", "."], ["mypy"])


def main() -> int:
    """Exit code of the first check that fails, or of pytest."""
    python = str(environment.ensure("blender,train,ray,test"))
    for check in CHECKS:
        print("$", " ".join(check), flush=True)
        code = subprocess.run([python, "-m", *check], cwd=environment.ROOT, check=False).returncode
        if code:
            return code
    return subprocess.run(
        [python, "-m", "pytest", *sys.argv[1:]], cwd=environment.ROOT, check=False
    ).returncode


if __name__ == "__main__":
    sys.exit(main())
