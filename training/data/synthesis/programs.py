"""Any other program in a seat: a command that reads and writes files, run once an item.

`{prompt}`, `{seed}`, `{picture}` and `{out}` stand for the words, the seed, the cut-out PNG and the file to
write; a word of the command that has none of them is passed as it stands. There is no shell.
"""

from __future__ import annotations

import shlex
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from backend.events import Pixels
from training.data.assets.asset import Rejected
from training.data.assets.reading import TRIMESH, RawFile, read_file
from training.data.synthesis.interface import PictureRequest, ShapeRequest

_FACES = 2_000_000
_TEXTURE = 2048  # pixels along the longer side


@dataclass(frozen=True, kw_only=True)
class Program:
    """A command in both seats; `out` is written as PNG by one, as GLB by the other."""

    command: str
    seconds: float = 600.0

    def picture(self, request: PictureRequest) -> Pixels:
        with tempfile.TemporaryDirectory() as scratch:
            out = Path(scratch) / "out.png"
            self._run({"prompt": request.words, "seed": str(request.seed), "out": str(out)}, out)
            with Image.open(out) as opened:
                return np.asarray(opened.convert("RGBA"))

    def shape(self, request: ShapeRequest) -> RawFile:
        with tempfile.TemporaryDirectory() as scratch:
            picture, out = Path(scratch) / "picture.png", Path(scratch) / "out.glb"
            Image.fromarray(request.picture, "RGBA").save(picture)
            values = {"prompt": request.prompt, "seed": str(request.seed), "picture": str(picture)}
            self._run({**values, "out": str(out)}, out)
            return read_file(out, up=None, max_faces=_FACES, texture_pixels=_TEXTURE)

    def _run(self, values: dict[str, str], out: Path) -> None:
        words = [_filled(word, values) for word in shlex.split(self.command)]
        try:
            done = subprocess.run(words, capture_output=True, text=True, timeout=self.seconds, check=False)
        except FileNotFoundError as error:
            raise Rejected("failed", f"There is no program {words[0]!r}.") from error
        except subprocess.TimeoutExpired as error:
            raise Rejected("timeout", f"{words[0]} took over {self.seconds:g} seconds.") from error
        if done.returncode or not out.exists():
            last = (done.stderr.strip().splitlines() or ["it wrote no file"])[-1]
            raise Rejected("failed", f"{words[0]} ended with code {done.returncode}: {last:.200}.")


def _filled(word: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        if f"{{{name}}}" in word:
            return word.replace(f"{{{name}}}", value)
    return word


assert ".glb" in TRIMESH
