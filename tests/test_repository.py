"""Hygiene of what is tracked: nothing of one machine, exact pins, docstrings, sizes, one version."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
FOREIGN = {
    "a path of one machine": r"(?<![\w.])/(work|root|home/\w+|Users/\w+)/",
    "a package registry": (
        r"(pypi|pythonhosted|npmjs|anaconda|rubygems|packagist)\.(org|com)|\bcrates\.io|download\.pytorch\.org"
    ),
    "a workplace's tool": r"\bissues\s+(show|list|note|close)\b|CONTRACT\.md|[.]library/",
}
LARGEST = 16 * 2**20  # bytes of one file
LARGEST_WEIGHTS = 60 * 2**20  # bytes of all bundled weights


def tracked() -> list[Path]:
    """Files as the index knows them and as they are now on disk."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a checkout")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def foreign(text: str) -> list[str]:
    """What in a text belongs to one machine or place, with the line it stands in."""
    return [
        f"{what}: {line.strip()[:100]}"
        for what, pattern in FOREIGN.items()
        for line in text.splitlines()
        if re.search(pattern, line)
    ]


def test_no_tracked_text_speaks_of_one_machine() -> None:
    found = []
    for path in tracked():
        name = path.relative_to(ROOT).as_posix()
        try:
            text = path.read_text("utf-8")
        except UnicodeDecodeError:
            continue  # images and weights
        found += [f"{name} names {what}" for what in foreign(text)]
    assert found == []


@pytest.mark.parametrize(
    "parts", [("/wo", "rk/a"), ("'/ro", "ot/x'"), ("//pypi", ".org"), ("issues ", " show 2")]
)
def test_foreign_lines_are_found(parts: tuple[str, str]) -> None:
    assert len(foreign(f"fine\n{''.join(parts)}\n")) == 1  # in parts, or this file would be found too
    assert foreign("a / work / root; runs/work/x; framework/y; github.com/org/repo") == []


def test_no_file_is_too_large_for_a_clone() -> None:
    sizes = {path: path.stat().st_size for path in tracked()}
    assert [str(path) for path, size in sizes.items() if size > LARGEST] == []
    weights = ROOT / "backend" / "weights"
    assert sum(size for path, size in sizes.items() if path.is_relative_to(weights)) <= LARGEST_WEIGHTS


def test_every_dependency_is_pinned_exactly() -> None:
    groups = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    loose = [pin for group in groups for pin in group if not re.fullmatch(r"[\w.-]+==[\w.]+", pin)]
    assert loose == []


def test_the_extension_carries_the_project_s_version_and_pins() -> None:
    manifest = tomllib.loads((ROOT / "blender_manifest.toml").read_text("utf-8"))
    assert manifest["version"] == PROJECT["version"]
    pins = dict(pin.split("==") for pin in PROJECT["dependencies"])
    for wheel in manifest["wheels"]:
        name, version = Path(wheel).name.split("-")[:2]
        assert pins[name] == version


def test_every_module_says_what_it_is() -> None:
    rooms = ("protocol", "blender_addon", "backend", "training", "scripts", "benchmarks")
    silent = [
        path.relative_to(ROOT).as_posix()
        for room in rooms
        for path in sorted((ROOT / room).rglob("*.py"))
        if not ast.get_docstring(ast.parse(path.read_text("utf-8")))
    ]
    assert silent == []
