"""The command line on the bundled weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import trimesh
from typer.testing import CliRunner

from backend.cli import app


def test_generate_writes_a_mesh_file(tmp_path: Path) -> None:
    out = tmp_path / "stool.glb"
    done = CliRunner().invoke(app, ["generate", "a low stool", "--out", str(out), "--cells", "32"])
    assert done.exit_code == 0, done.output
    assert len(trimesh.load(out, force="mesh").faces) > 100


def test_a_bad_request_is_one_sentence_and_a_failing_exit_code(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["generate", "", "--out", str(tmp_path / "x.glb")])
    assert done.exit_code == 1
    assert "Type what to make" in done.output
    assert "Traceback" not in done.output


@pytest.mark.parametrize("name", ["chair.docx", "nowhere/chair.glb"])
def test_a_file_that_cannot_be_written_is_refused_before_the_work(tmp_path: Path, name: str) -> None:
    done = CliRunner().invoke(app, ["generate", "a chair", "--out", str(tmp_path / name)])
    assert done.exit_code == 1
    assert "cannot be written: name a .glb" in done.output
    assert "shape tokens" not in done.output


def test_doctor_reports_versions_and_a_test_generation() -> None:
    done = CliRunner().invoke(app, ["doctor"])
    assert done.exit_code == 0, done.output
    assert "CURVE True" in done.output
    assert "a round table:" in done.output
