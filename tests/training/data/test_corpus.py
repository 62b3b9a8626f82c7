"""Reading a packed corpus: entries, meshes and the captions made of names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from training.data.corpus import captions, read_index, read_meshes


def test_index_keeps_file_order_and_main_colours(corpus_root: Path) -> None:
    entries = read_index(corpus_root)
    assert [entry.name for entry in entries] == ["chair cushion", "oak", "wall", "urn"]
    assert entries[0].colors == ("red",)  # grey covers too little
    assert entries[3].colors == ()
    assert (entries[0].split, entries[2].split) == ("train", "val")


def test_meshes_come_whole_and_in_their_own_size(corpus_root: Path) -> None:
    found = {
        entry.name: (mesh, rgb) for entry, mesh, rgb in read_meshes(corpus_root, read_index(corpus_root))
    }
    assert len(found) == 4
    for name, height in (("chair cushion", 1), ("oak", 2), ("wall", 3), ("urn", 4)):
        mesh, rgb = found[name]
        assert np.allclose(np.ptp(mesh.vertices, axis=0), (1, 1, height))
        assert (mesh.vertices.dtype, mesh.faces.dtype) == (np.float32, np.int32)
        assert len(mesh.faces) == len(rgb) == 12
        assert mesh.faces.max() == len(mesh.vertices) - 1


def test_a_folder_without_corpus_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"holds no index\.jsonl; point --corpus at"):
        read_index(tmp_path)


def test_captions_have_both_word_orders_articles_and_colour(corpus_root: Path) -> None:
    cushion, oak, wall, urn = read_index(corpus_root)
    assert set(captions(cushion)) == {
        "chair cushion",
        "a chair cushion",
        "a red chair cushion",
        "cushion chair",
        "a cushion chair",
        "a red cushion chair",
    }
    assert captions(oak) == ("oak", "an oak", "a green oak")
    assert captions(wall) == ("wall", "a wall")
    assert captions(urn) == ("urn", "an urn")


def test_long_names_keep_their_order(corpus_root: Path) -> None:
    entry = replace(read_index(corpus_root)[3], name="table with four round legs")
    assert captions(entry) == ("table with four round legs", "a table with four round legs")
