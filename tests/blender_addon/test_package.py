"""What ships: the manifest, the zip Blender's own builder makes from the checkout, and its documents."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
import build_extension  # noqa: E402
import fetch_wheels  # noqa: E402
from omni123_extension.blender_addon.core import problems  # noqa: E402

LINES = 400


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The zip of a copy of the checkout; wheels that have not been fetched are empty files there."""
    if importlib.util.find_spec("bpy") is None:
        pytest.skip("needs Blender's builder")
    checkout, folder = tmp_path_factory.mktemp("checkout"), tmp_path_factory.mktemp("dist")
    for name in (*build_extension.SHIPPED, "backend/", "tests/", "scripts/", "pyproject.toml"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, checkout / name, ignore=shutil.ignore_patterns("weights", "*.whl"))
        elif source.is_file():
            shutil.copy(source, checkout / name)
    (checkout / "wheels").mkdir(exist_ok=True)
    for name in fetch_wheels.listed():
        (checkout / "wheels" / name).touch()
    command = [*build_extension.builder(None), "build", "--source-dir", checkout, "--output-dir", folder]
    subprocess.run([str(part) for part in command], check=True, capture_output=True, timeout=60)
    return next(folder.glob("omni123-*.zip"))


def test_the_zip_holds_what_is_needed_and_nothing_else(archive: Path) -> None:
    build_extension.check(archive)


def test_the_zip_holds_every_module_of_the_add_on(archive: Path) -> None:
    with zipfile.ZipFile(archive) as file:
        names = set(file.namelist())
    modules = [path for room in ("blender_addon", "protocol") for path in (ROOT / room).rglob("*.py")]
    assert {path.relative_to(ROOT).as_posix() for path in modules} <= names
    assert not [name for name in names if name.startswith(("backend/", "training/", "tests/", "out/", "."))]


def test_a_stranger_in_the_zip_is_found(tmp_path: Path) -> None:
    archive = tmp_path / "omni123-0.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("backend/secret.py", "")
    with pytest.raises(SystemExit, match=r"backend/secret\.py"):
        build_extension.check(archive)


def test_a_retagged_wheel_names_the_versions_it_is_for(tmp_path: Path) -> None:
    wheel = tmp_path / "thing-1.0-cp312-abi3-win_amd64.whl"
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr("thing.py", "x = 1\n")
        file.writestr("thing-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: cp312-abi3-win_amd64\n")
        file.writestr("thing-1.0.dist-info/RECORD", "thing.py,,\nthing-1.0.dist-info/WHEEL,sha256=old,1\n")
    (tmp_path / "out").mkdir()
    retagged = fetch_wheels.retag(wheel, tmp_path / "out")
    assert retagged.name == "thing-1.0-cp312.cp313.cp314-none-win_amd64.whl"
    with zipfile.ZipFile(retagged) as file:
        assert b"Tag: cp313-none-win_amd64" in file.read("thing-1.0.dist-info/WHEEL")
        assert b"sha256=old" not in file.read("thing-1.0.dist-info/RECORD")
        assert file.read("thing.py") == b"x = 1\n"


def test_the_manifest_keeps_blenders_rules() -> None:
    manifest = tomllib.loads((ROOT / "blender_manifest.toml").read_text("utf-8"))
    assert "Blender" not in manifest["name"]
    assert len(manifest["tagline"]) <= 64
    assert manifest["tagline"][-1].isalnum()
    assert all(len(reason) <= 64 for reason in manifest["permissions"].values())
    assert manifest["license"] == ["SPDX:GPL-3.0-or-later"]


def test_the_add_ons_files_stay_short() -> None:
    long = {
        path.name: lines
        for path in (ROOT / "blender_addon").rglob("*.py")
        if (lines := len(path.read_text("utf-8").splitlines())) > LINES
    }
    assert long == {}


def test_the_add_ons_version_is_the_manifests() -> None:
    manifest = tomllib.loads((ROOT / "blender_manifest.toml").read_text("utf-8"))
    source = (ROOT / "blender_addon" / "runtime.py").read_text("utf-8")
    assert f'VERSION = "{manifest["version"]}"' in source


def test_every_message_of_the_add_on_is_documented() -> None:
    document = (ROOT / "docs" / "addon.md").read_text("utf-8")
    sentences = [problems.local_problem(code).sentence for code in problems.LOCAL]
    assert [sentence for sentence in sentences if sentence not in document] == []
