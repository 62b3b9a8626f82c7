"""What tells two states of an asset's file apart: its bytes, and those of the files it names."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from training.data.assets.contents import Contents


@pytest.fixture
def kit(tmp_path: Path) -> Path:
    """An OBJ that names a material file, which names a texture with a blank in its name."""
    folder = tmp_path / "kit"
    (folder / "textures").mkdir(parents=True)
    (folder / "chair.obj").write_text("mtllib ./chair.mtl\nv 0 0 0\n")
    (folder / "chair.mtl").write_text("newmtl wood\nmap_Kd -s 1 1 1 C:\\models\\old wood.png\n")
    (folder / "textures" / "old wood.png").write_bytes(b"oak")
    (folder / "other.png").write_bytes(b"of another")
    return folder


def contents(kit: Path) -> Contents:
    return Contents(kit.parent / "files.jsonl")


def test_named_files_count_and_others_do_not(kit: Path) -> None:
    with contents(kit) as known:
        assert list(known.beside(kit / "chair.obj")) == ["chair.mtl", "textures/old wood.png"]


def test_a_changed_texture_is_noticed(kit: Path) -> None:
    with contents(kit) as known:
        before = known.beside(kit / "chair.obj")
    (kit / "textures" / "old wood.png").write_bytes(b"pine")
    with contents(kit) as known:
        after = known.beside(kit / "chair.obj")
    assert before["chair.mtl"] == after["chair.mtl"]
    assert before["textures/old wood.png"] != after["textures/old wood.png"]


def test_gltf_names_are_decoded(kit: Path) -> None:
    tree = {"buffers": [{"uri": "my%20mesh.bin"}], "images": [{"uri": "other.png"}]}
    (kit / "a.gltf").write_text(json.dumps(tree))
    (kit / "my mesh.bin").write_bytes(b"0")
    with contents(kit) as known:
        assert list(known.beside(kit / "a.gltf")) == ["my mesh.bin", "other.png"]


def test_unchanged_files_are_not_read_again(kit: Path) -> None:
    path = kit / "chair.obj"
    with contents(kit) as known:
        before = known.sha256(path)
    stat = path.stat()
    path.write_text("mtllib ./chair.mtl\nv 9 9 9\n")  # as long, and then as old
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    with contents(kit) as known:
        assert known.sha256(path) == before
    os.utime(path)
    with contents(kit) as known:
        assert known.sha256(path) != before


def test_a_line_cut_short_is_read_again(kit: Path) -> None:
    with contents(kit) as known:
        before = known.sha256(kit / "chair.obj")
    journal = kit.parent / "files.jsonl"
    journal.write_bytes(journal.read_bytes()[:-5])
    for _ in range(2):
        with contents(kit) as known:
            assert known.sha256(kit / "chair.obj") == before
