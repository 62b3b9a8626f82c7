"""Fetches the wheels that the extension bundles into wheels/, and checks that the manifest lists them.

    python scripts/fetch_wheels.py [--missing-only]

pyzmq has a wheel for Python 3.11 and one (stable ABI) for 3.12 and later. Blender refuses a zip that mixes
the two on Python 3.13 and later, unless the second names the versions it is for: so it is retagged.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WHEELS = ROOT / "wheels"
PYZMQ, SAFETENSORS = "pyzmq==27.3.0", "safetensors==0.8.0"
PYZMQ_PLATFORMS = (
    "manylinux_2_28_x86_64",
    "manylinux_2_28_aarch64",
    "macosx_10_15_universal2",
    "win_amd64",
    "win_arm64",
)
SAFETENSORS_PLATFORMS = (
    "manylinux_2_17_x86_64",
    "manylinux_2_17_aarch64",
    "macosx_10_12_x86_64",
    "macosx_11_0_arm64",
    "win_amd64",
    "win_arm64",
)
STABLE_ABI_TAGS = "cp312.cp313.cp314", "none"  # python and ABI tags of the retagged wheel


def listed() -> list[str]:
    """File names of the wheels that the manifest lists."""
    manifest = tomllib.loads((ROOT / "blender_manifest.toml").read_text(encoding="utf-8"))
    return [Path(wheel).name for wheel in manifest["wheels"]]


def download(package: str, platform: str, python: str, abi: str, folder: Path) -> None:
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"),
            *("--implementation", "cp", "--python-version", python, "--abi", abi),
            *("--platform", platform, "--dest", str(folder), package),
        ],
        check=True,
    )


def retag(wheel: Path, folder: Path) -> Path:
    """Writes the wheel again under STABLE_ABI_TAGS, in its name, its WHEEL file and its RECORD."""
    name, version, _python, _abi, platform = wheel.stem.split("-")
    python, abi = STABLE_ABI_TAGS
    target = folder / f"{name}-{version}-{python}-{abi}-{platform}.whl"
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(wheel) as source, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as out:
        files = {entry.filename: source.read(entry) for entry in source.infolist() if not entry.is_dir()}
        kept = [
            line
            for line in files[f"{info}/WHEEL"].decode().splitlines()
            if not line.startswith("Tag: ") and line
        ]
        tags = [f"Tag: {tag}-{abi}-{system}" for tag in python.split(".") for system in platform.split(".")]
        content = ("\n".join([*kept, *tags]) + "\n").encode()
        files[f"{info}/WHEEL"] = content
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        record = [
            f"{info}/WHEEL,sha256={digest},{len(content)}" if line.startswith(f"{info}/WHEEL,") else line
            for line in files[f"{info}/RECORD"].decode().splitlines()
        ]
        files[f"{info}/RECORD"] = ("\n".join(record) + "\n").encode()
        for filename, data in sorted(files.items()):
            # a fixed date, so that the same wheel gives the same bytes
            out.writestr(zipfile.ZipInfo(filename, (1980, 1, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED)
    return target


def fetch() -> None:
    WHEELS.mkdir(exist_ok=True)
    for platform in PYZMQ_PLATFORMS:
        download(PYZMQ, platform, "3.11", "cp311", WHEELS)
        with tempfile.TemporaryDirectory() as folder:
            download(PYZMQ, platform, "3.12", "abi3", Path(folder))
            retag(next(Path(folder).glob("*.whl")), WHEELS)
    for platform in SAFETENSORS_PLATFORMS:
        download(SAFETENSORS, platform, "3.11", "abi3", WHEELS)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--missing-only", action="store_true", help="do nothing when all are there")
    arguments = parser.parse_args()
    if not (arguments.missing_only and all((WHEELS / name).is_file() for name in listed())):
        fetch()
    here = {path.name for path in WHEELS.glob("*.whl")}
    missing, unlisted = set(listed()) - here, here - set(listed())
    for name in sorted(missing):
        print(f"missing: {name}")
    for name in sorted(unlisted):
        print(f'not in blender_manifest.toml: "./wheels/{name}",')
    print(f"{len(here)} wheels, {sum(path.stat().st_size for path in WHEELS.glob('*.whl')) / 1e6:.1f} MB")
    return 1 if missing or unlisted else 0


if __name__ == "__main__":
    sys.exit(main())
