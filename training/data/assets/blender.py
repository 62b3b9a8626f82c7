"""Blender as a reader of files, in a process of its own: several files per process, killed when it hangs."""

from __future__ import annotations

import importlib.util
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

import numpy as np
from PIL import Image

from training.data.assets.asset import Material, Rejected
from training.data.assets.materials import png
from training.data.assets.reading import RawFile, RawObject

SUFFIXES = (".fbx", ".usd", ".usda", ".usdc", ".usdz", ".blend", ".dae")
_SCRIPT = Path(__file__).with_name("blender_import.py")
_MARK = "@omni123-import "
_START_SECONDS = 120.0
_WHITE = (1.0, 1.0, 1.0, 1.0)


def command(executable: str | None) -> list[str] | None:
    """How to start Blender: the executable given, else the bpy wheel of this Python, else None."""
    if executable is not None:
        options = ["--background", "--factory-startup", "--disable-autoexec", "--python-exit-code", "3"]
        return [executable, *options, "--python", str(_SCRIPT)]
    return [sys.executable, str(_SCRIPT)] if importlib.util.find_spec("bpy") else None


@dataclass(kw_only=True)
class Blender:
    """One process after another: a fresh one after `files` files, a hang or a crash."""

    executable: str | None = None  # None: the bpy wheel
    files: int = 100
    _process: subprocess.Popen[str] | None = field(default=None, init=False)
    _lines: queue.SimpleQueue[str | None] = field(default_factory=queue.SimpleQueue, init=False)
    _done: int = field(default=0, init=False)

    def read(self, path: Path, *, max_faces: int, texture_pixels: int, seconds: float) -> RawFile:
        """Raises Rejected: corrupt, too_many_faces, unsupported_format, timeout, crashed, no_blender."""
        if self._process is None or self._process.poll() is not None or self._done >= self.files:
            self._start()
        assert self._process is not None
        assert self._process.stdin is not None
        self._done += 1
        with tempfile.TemporaryDirectory(prefix="omni123-import-") as folder:
            output = Path(folder) / "objects.npz"
            job = {"path": str(path.resolve()), "output": str(output), "seconds": seconds}
            job |= {"max_faces": max_faces, "texture_pixels": texture_pixels}
            self._process.stdin.write(json.dumps(job) + "\n")
            self._process.stdin.flush()
            answer = self._answer(seconds, path)
            if "reason" in answer:
                raise Rejected(answer["reason"], f"{path.name}: {answer['detail']}")
            return _raw_file(answer, output, texture_pixels)

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            if self._process.stdin is not None:
                self._process.stdin.close()  # its output is closed by the thread that reads it
        self._process = None

    def _start(self) -> None:
        self.close()
        start = command(self.executable)
        if start is None:
            raise Rejected(
                "no_blender", "This format needs Blender: install omni123[blender] or name a Blender."
            )
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
        self._answer(_START_SECONDS, Path("Blender's start"))

    def _answer(self, seconds: float, path: Path) -> dict[str, Any]:
        try:
            line = self._lines.get(timeout=seconds)
        except queue.Empty:
            self.close()
            raise Rejected("timeout", f"{path.name} took Blender over {seconds:g} seconds.") from None
        if line is None:
            self.close()
            raise Rejected("crashed", f"Blender ended while it read {path.name}.")
        answer: dict[str, Any] = json.loads(line)
        return answer


def _forward(stream: IO[str], lines: queue.SimpleQueue[str | None]) -> None:
    """Answers out of what else Blender prints; None at the end."""
    with stream:
        for line in stream:
            if line.startswith(_MARK):
                lines.put(line.removeprefix(_MARK))
    lines.put(None)


def _raw_file(answer: dict[str, Any], output: Path, texture_pixels: int) -> RawFile:
    with np.load(output, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    materials = []
    for number, found in enumerate(answer["materials"]):
        picture = arrays.get(f"texture.{number}")
        red, green, blue, alpha = (float(value) for value in found["color"])
        materials.append(
            Material(
                name=found["name"],
                base_color=(red, green, blue, alpha),
                roughness=float(found["roughness"]),
                metallic=float(found["metallic"]),
                texture=None if picture is None else png(Image.fromarray(picture), texture_pixels)[0],
            )
        )
    painted = [bool(found.get("painted")) for found in answer["materials"]]
    objects = [_raw_object(i, name, arrays, materials, painted) for i, name in enumerate(answer["objects"])]
    return RawFile(objects=tuple(objects), notes=set(answer["notes"]))


def _raw_object(
    number: int,
    name: str,
    arrays: dict[str, np.ndarray[Any, Any]],
    materials: Sequence[Material],
    painted: Sequence[bool],
) -> RawObject:
    own = arrays[f"{number}.material"]
    used, local = np.unique(own, return_inverse=True)
    table = [materials[i] if i >= 0 else Material(name="none") for i in used]
    colors = arrays.get(f"{number}.colors")
    if colors is not None and (used >= 0).any():  # colours count where the material shows them
        shown = np.array([i < 0 or painted[i] for i in used])
        table = [replace(m, base_color=_WHITE) if s else m for m, s in zip(table, shown, strict=True)]
        colors = np.where(shown[local.reshape(-1)][:, None, None], colors, np.uint8(255))
    return RawObject(
        name=name,
        vertices=arrays[f"{number}.vertices"].astype(np.float64),
        faces=arrays[f"{number}.faces"].astype(np.int64),
        uvs=arrays.get(f"{number}.uvs"),
        colors=colors,
        materials=() if (used < 0).all() else tuple(table),
        face_material=local.reshape(-1).astype(np.int32),
    )
