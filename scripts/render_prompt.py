"""Prompts to .blend, .glb and .png through the extension in a headless Blender.

    python scripts/render_prompt.py "a round wooden table"
    python scripts/render_prompt.py --prompts-file prompts.txt --out sheets --engine workbench

Types the prompt into the scene, presses Generate (which starts a backend), and renders what comes. With a
file of prompts, one a line, only the pictures are kept. Ends with 0 only when every file is there.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from pathlib import Path

import blender_session
import bpy
import studio

import addon_utils  # isort: skip  (bpy brings it)


def slug(prompt: str) -> str:
    """ "A round, wooden table" -> "a-round-wooden-table"."""
    return re.sub(r"[^a-z0-9]+", "-", prompt.lower()).strip("-")[:60] or "shape"


def generate(prompt: str, arguments: argparse.Namespace) -> bpy.types.Object:
    """What an artist does: type, set, press. Raises SystemExit with the sentence the panel would show."""
    settings = bpy.context.scene.omni123
    settings.prompt = prompt
    settings.lock_seed, settings.seed = True, arguments.seed
    if arguments.guidance is not None:
        settings.use_guidance, settings.guidance = True, arguments.guidance
    settings.detail = arguments.detail.upper()
    if arguments.box is not None:
        settings.use_box, settings.box = True, arguments.box
    started = time.perf_counter()
    try:
        result = bpy.ops.omni123.generate()
    except RuntimeError as error:  # how Blender passes on what an operator reports
        raise SystemExit(str(error).strip()) from error
    if result != {"FINISHED"}:
        raise SystemExit("The request was cancelled.")
    obj = bpy.context.view_layer.objects.active
    if obj is None or not len(obj.data.polygons):
        raise SystemExit("No shape arrived.")
    session = blender_session.submodule("runtime").session()
    job = session.client.jobs[obj.omni123.job]
    sign = f"first sign of progress after {job.first_sign - job.asked_at:.2f} s, " if job.first_sign else ""
    stages = ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in job.done.seconds.items())
    print(
        f"{prompt!r}: {sign}mesh in the scene after {time.perf_counter() - started:.1f} s ({stages}), "
        f"{len(obj.data.polygons)} faces",
        flush=True,
    )
    return obj


def export(obj: bpy.types.Object, path: Path) -> None:
    addon_utils.enable("io_scene_gltf2")
    bpy.ops.export_scene.gltf(filepath=str(path), use_selection=True, export_format="GLB")


def picture(obj: bpy.types.Object, path: Path, arguments: argparse.Namespace) -> None:
    studio.build(obj)
    started = time.perf_counter()
    studio.render(path, engine=arguments.engine, size=arguments.size, samples=arguments.samples)
    print(f"  rendered in {time.perf_counter() - started:.1f} s", flush=True)


def one(prompt: str, arguments: argparse.Namespace) -> list[Path]:
    """The three files of one prompt."""
    obj = generate(prompt, arguments)
    files = [arguments.out / f"{slug(prompt)}{suffix}" for suffix in (".glb", ".png", ".blend")]
    export(obj, files[0])
    picture(obj, files[1], arguments)
    bpy.ops.wm.save_as_mainfile(filepath=str(files[2]), compress=True, copy=True)
    return files


def many(prompts: list[str], arguments: argparse.Namespace) -> list[Path]:
    """A picture for each prompt, numbered as in the file."""
    files = []
    for number, prompt in enumerate(prompts, 1):
        obj = generate(prompt, arguments)
        files.append(arguments.out / f"{number:02d}-{slug(prompt)}.png")
        picture(obj, files[-1], arguments)
        bpy.data.objects.remove(obj, do_unlink=True)
    return files


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("prompt", nargs="?", help="what to make")
    parser.add_argument("--prompts-file", type=Path, help="one prompt a line; makes pictures only")
    parser.add_argument("--out", type=Path, default=blender_session.ROOT / "out")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--guidance", type=float)
    parser.add_argument("--detail", choices=("auto", "draft", "normal", "fine"), default="auto")
    parser.add_argument("--box", type=float, nargs=3, help="sides, for models that take a bounding box")
    parser.add_argument("--engine", choices=("cycles", "workbench"), default="cycles")
    parser.add_argument("--size", type=int, default=512, help="pixels along one side")
    parser.add_argument("--samples", type=int, default=16, help="of Cycles")
    parser.add_argument("--weights", type=Path, help="model folder; the bundled one by default")
    parser.add_argument("--backend-options", default="", help="further arguments for the backend")
    arguments = parser.parse_args()
    if not arguments.prompt and not arguments.prompts_file:
        parser.error('say what to make, for example "a round wooden table"')
    return arguments


def main() -> int:
    arguments = parse()
    arguments.out = arguments.out.resolve()
    arguments.out.mkdir(parents=True, exist_ok=True)
    preferences = blender_session.enable()
    preferences.weights = str(arguments.weights.resolve()) if arguments.weights else ""
    preferences.options = arguments.backend_options
    studio.clear_scene()
    started = time.perf_counter()
    try:
        if arguments.prompts_file:
            lines = arguments.prompts_file.read_text(encoding="utf-8").splitlines()
            files = many([line.strip() for line in lines if line.strip()], arguments)
        else:
            files = one(arguments.prompt, arguments)
    finally:
        blender_session.disable()
    missing = [path for path in files if not (path.is_file() and path.stat().st_size)]
    for path in files:
        print(f"{'missing: ' if path in missing else ''}{path}")
    print(f"done in {time.perf_counter() - started:.1f} s")
    return 1 if missing or not files else 0


if __name__ == "__main__":
    sys.exit(main())
