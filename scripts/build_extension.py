"""Builds the extension's zip from the checkout with Blender's own builder: dist/omni123-VERSION.zip.

    python scripts/build_extension.py [--blender BLENDER]

Fetches the wheels it bundles when they are missing. Without --blender the builder is that of bpy, in
this Python or in the environment that scripts/environment.py makes.
"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
import zipfile
from pathlib import Path

import environment
import fetch_wheels

ROOT = Path(__file__).resolve().parents[1]
SHIPPED = ("__init__.py", "blender_manifest.toml", "LICENSE", "blender_addon/", "protocol/", "wheels/")


def builder(blender: str | None) -> list[str]:
    """The command that builds, up to its arguments."""
    if blender:
        return [blender, "--command", "extension"]
    found = importlib.util.find_spec("bpy")
    if found is not None and found.submodule_search_locations:
        folder = Path(found.submodule_search_locations[0])
    else:
        folder = environment.ensure("blender").parents[1]
    for place in (folder, folder.parents[1]):  # once imported, bpy is found inside its own scripts folder
        scripts = sorted(place.glob("**/addons_core/bl_pkg/cli/blender_ext.py"))
        if scripts:
            return [sys.executable, str(scripts[0])]
    raise SystemExit("Blender's builder was not found: give --blender.")


def build(output: Path, blender: str | None = None) -> Path:
    """Raises SystemExit when the zip lacks something or holds what it should not."""
    if not all((fetch_wheels.WHEELS / name).is_file() for name in fetch_wheels.listed()):
        print("Fetching the wheels to bundle ...", flush=True)
        fetch_wheels.fetch()
    output.mkdir(parents=True, exist_ok=True)
    command = [*builder(blender), "build", "--source-dir", str(ROOT), "--output-dir", str(output)]
    subprocess.run(command, check=True)
    archive = max(output.glob("omni123-*.zip"), key=lambda path: path.stat().st_mtime)
    check(archive)
    return archive


def check(archive: Path) -> None:
    """Everything that must be in the zip, and nothing else."""
    with zipfile.ZipFile(archive) as file:
        names = file.namelist()
    strangers = [name for name in names if not name.startswith(SHIPPED) or "__pycache__" in name]
    absent = [part for part in SHIPPED if not any(name.startswith(part) for name in names)]
    absent += [name for name in fetch_wheels.listed() if f"wheels/{name}" not in names]
    if strangers or absent:
        raise SystemExit(f"{archive.name}: should not be there {strangers}, missing {absent}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--blender", help="Blender's executable; default: the bpy module of this Python")
    parser.add_argument("--output", type=Path, default=ROOT / "dist")
    arguments = parser.parse_args()
    archive = build(arguments.output, arguments.blender)
    print(f"{archive} ({archive.stat().st_size / 1e6:.1f} MB)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
