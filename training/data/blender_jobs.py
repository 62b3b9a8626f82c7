"""Runs INSIDE Blender (the bpy wheel's Python, or `blender -b --python`): the loop of a script's jobs.

`blender_jobs.py SCRIPT` answers one JSON line, which starts with MARK, for each JSON job a line on stdin. The
script has `work(job)`, which gives the answer, and `explain(error, job)`: reason and sentence of a failure.
Needs bpy, nothing of ours.
"""

from __future__ import annotations

import json
import runpy
import signal
import sys
from typing import Any

import bpy

MARK = "@omni123 "


def main() -> None:
    script = runpy.run_path(sys.argv[-1])
    reply({"ready": bpy.app.version_string})
    for line in sys.stdin:
        job = json.loads(line)
        if hasattr(signal, "SIGALRM"):
            signal.signal(signal.SIGALRM, signal.SIG_DFL)  # a hang in C code ends the process
            signal.alarm(int(job["seconds"]) + 5)
        try:
            reply(script["work"](job))
        except Exception as error:  # noqa: BLE001  the process outlives what one file stumbles over
            reason, detail = script["explain"](error, job)
            reply({"reason": reason, "detail": detail})
        finally:
            if hasattr(signal, "SIGALRM"):
                signal.alarm(0)


def reply(message: dict[str, Any]) -> None:
    sys.stdout.write(f"\n{MARK}{json.dumps(message)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
