"""Builds the extension's zip from the checkout with Blender's own builder: dist/omni123-VERSION.zip.

    python scripts/build_extension.py [--blender BLENDER]

Needs the wheels (scripts/fetch_wheels.py fetches them) and Blender, or the bpy module in this Python.
"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
import zipfile
from pathlib import Path

import fetch_wheels

ROOT = Path(__file__).resolve().parents[1]
SHIPPED = ("__init__.py", "blender_manifest.toml", "LICENSE", "blender_addon/", "protocol/", "wheels/")


def builder(blender: str | None) -> list[str]:
    """The command that builds, up to its arguments."""
    if blender:
        return [blender, "--command", "extension"]
    found = importlib.util.find_spec("bpy")
    for folder in (found.submodule_search_locations or ()) if found else ():
        scripts = sorted(Path(folder).glob("**/addons_core/bl_pkg/cli/blender_ext.py"))
        if not scripts:  # bpy is found inside its own scripts folder once it has been imported
            scripts = sorted(Path(folder).parents[1].glob("addons_core/bl_pkg/cli/blender_ext.py"))
        if scripts:
            return [sys.executable, str(scripts[0])]
    raise SystemExit("Blender's builder was not found: give --blender, or use a Python that has bpy.")


def build(output: Path, blender: str | None = None) -> Path:
    """Raises SystemExit when wheels are missing or the zip holds what it should not."""
    missing = [name for name in fetch_wheels.listed() if not (fetch_wheels.WHEELS / name).is_file()]
    if missing:
        raise SystemExit(f"{len(missing)} wheels are missing: run scripts/fetch_wheels.py first.")
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
