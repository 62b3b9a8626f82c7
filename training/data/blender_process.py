"""Blender in a process of its own, which takes jobs as lines of JSON: replaced after many, a hang or a crash.

Inside runs `blender_jobs.py`: it prints a line that starts with MARK when it is ready, and one for each job.
"""

from __future__ import annotations

import importlib.util
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from training.data.assets.asset import Rejected

MARK = "@omni123 "  # blender_jobs.py, which Blender runs alone, has its own
_JOBS = Path(__file__).with_name("blender_jobs.py")
_START_SECONDS = 120.0


def command(script: Path, executable: str | None) -> list[str] | None:
    """How to start Blender: the executable given, else the bpy wheel of this Python, else None."""
    if executable is not None:
        options = ["--background", "--factory-startup", "--disable-autoexec", "--python-exit-code", "3"]
        return [executable, *options, "--python", str(_JOBS), "--", str(script)]
    return [sys.executable, str(_JOBS), str(script)] if importlib.util.find_spec("bpy") else None


@dataclass(kw_only=True)
class BlenderProcess:
    """One process after another, each for `jobs` jobs."""

    script: Path  # with `work` and `explain`, run inside Blender
    executable: str | None = None  # None: the bpy wheel
    jobs: int = 100
    _process: subprocess.Popen[str] | None = field(default=None, init=False)
    _lines: queue.SimpleQueue[str | None] = field(default_factory=queue.SimpleQueue, init=False)
    _done: int = field(default=0, init=False)

    def ask(self, job: Mapping[str, Any], seconds: float, subject: str) -> dict[str, Any]:
        """The script's answer. Raises Rejected: its own reason, or timeout, crashed, no_blender."""
        if self._process is None or self._process.poll() is not None or self._done >= self.jobs:
            self._start()
        assert self._process is not None
        assert self._process.stdin is not None
        self._done += 1
        self._process.stdin.write(json.dumps({**job, "seconds": seconds}) + "\n")
        self._process.stdin.flush()
        answer = self._answer(seconds, subject)
        if "reason" in answer:
            raise Rejected(answer["reason"], f"{subject}: {answer['detail']}")
        return answer

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            if self._process.stdin is not None:
                self._process.stdin.close()  # its output is closed by the thread that reads it
        self._process = None

    def _start(self) -> None:
        self.close()
        start = command(self.script, self.executable)
        if start is None:
            raise Rejected("no_blender", "This needs Blender: install omni123[blender] or name a Blender.")
        self._lines, self._done = queue.SimpleQueue(), 0
        try:
            self._process = subprocess.Popen(
                start,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                # Blender reads PYTHONPATH only where told to; its own Python must not find our packages.
                env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
            )
        except OSError as error:
            raise Rejected("no_blender", f"Blender does not start ({error}).") from error
        assert self._process.stdout is not None
        threading.Thread(target=_forward, args=(self._process.stdout, self._lines), daemon=True).start()
        self._answer(_START_SECONDS, "Blender's start")

    def _answer(self, seconds: float, subject: str) -> dict[str, Any]:
        try:
            line = self._lines.get(timeout=seconds)
        except queue.Empty:
            self.close()
            raise Rejected("timeout", f"{subject} took Blender over {seconds:g} seconds.") from None
        if line is None:
            self.close()
            raise Rejected("crashed", f"Blender ended at {subject}.")
        answer: dict[str, Any] = json.loads(line)
        return answer


def _forward(stream: IO[str], lines: queue.SimpleQueue[str | None]) -> None:
    """Answers out of what else Blender prints; None at the end."""
    with stream:
        for line in stream:
            if line.startswith(MARK):
                lines.put(line.removeprefix(MARK))
    lines.put(None)
