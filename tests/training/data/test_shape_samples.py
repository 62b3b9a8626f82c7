"""Shards of labelled shapes: what they hold, and that they are made once, whole, or not at all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from training.data import shape_samples
from training.data.shape_samples import (
    SamplingSettings,
    build_corpus,
    build_synthetic,
    load_samples,
    sample_mesh,
    sample_synthetic,
)
from training.data.synthetic import generate

SETTINGS = SamplingSettings(n_points=128, n_uniform=64, n_near=64)


def build(folder: Path, seeds: range = range(3)) -> list[Path]:
    build_synthetic(folder, seeds, settings=SETTINGS, shard=2, processes=1)
    return sorted(folder.iterdir())


def box_distance(points: np.ndarray, half: np.ndarray) -> np.ndarray:
    q = np.abs(points) - half
    outside: np.ndarray = np.linalg.norm(np.maximum(q, 0), axis=-1) + np.minimum(q.max(axis=-1), 0)
    return outside


def test_synthetic_samples_are_labelled_by_the_object_itself() -> None:
    sample, shape = sample_synthetic(7, SETTINGS), generate(7)
    assert sample.id == "synthetic/7"
    assert (sample.source, sample.captions) == (shape.family, shape.captions)
    assert np.array_equal(sample.distances, shape.signed_distance(sample.queries))
    assert np.abs(shape.signed_distance(sample.points)).max() < 2e-3
    assert np.array_equal(sample_synthetic(7, SETTINGS).queries, sample.queries)


def test_queries_near_the_surface_come_first_and_all_stay_in_the_box() -> None:
    sample = sample_synthetic(1, SETTINGS)
    near, uniform = sample.distances[:64], sample.distances[64:]
    assert sample.queries.shape == (128, 3)
    assert np.abs(sample.queries).max() <= 1.05
    assert np.median(np.abs(near)) < np.median(np.abs(uniform))


def test_meshes_are_normalised_then_labelled() -> None:
    vertices = np.array([[x, y, z] for x in (3, 5) for y in (0, 2) for z in (0, 8)], np.float32)
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    faces = np.array([face for a, b, c, d in quads for face in ((a, b, c), (a, c, d))], np.int32)
    points, normals, queries, distances = sample_mesh(vertices, faces, np.random.default_rng(0), SETTINGS)
    half = np.array([0.24, 0.24, 0.96])  # the longest side becomes 1.92
    assert np.abs(box_distance(points, half)).max() < 1e-5
    assert np.allclose(box_distance(queries, half), distances, atol=1e-4)
    assert (box_distance(points + 0.01 * normals, half) > 0).all()


def test_shards_hold_every_seed_in_order(tmp_path: Path) -> None:
    assert len(build(tmp_path)) == 2
    samples = load_samples(tmp_path)
    assert sorted(samples.ids) == ["synthetic/0", "synthetic/1", "synthetic/2"]
    row = samples.ids.index("synthetic/2")
    fresh = sample_synthetic(2, SETTINGS)
    assert samples.captions[row] == fresh.captions
    assert np.allclose(samples.points[row], fresh.points, atol=1e-3)
    assert np.allclose(samples.normals[row] / 127, fresh.normals, atol=5e-3)
    assert np.allclose(samples.distances[row], np.clip(fresh.distances, -0.25, 0.25), atol=1e-3)
    assert len(load_samples(tmp_path, limit=1)) == 1


def test_a_second_run_does_nothing_and_other_settings_do(tmp_path: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in build(tmp_path)}
    assert {path: path.stat().st_mtime_ns for path in build(tmp_path)} == before
    build_synthetic(tmp_path, range(3), settings=replace(SETTINGS, n_near=32), shard=2, processes=1)
    assert len(list(tmp_path.iterdir())) == 4
    with pytest.raises(ValueError, match="differ in size; keep one kind"):
        load_samples(tmp_path)


def test_a_shard_cut_short_is_not_taken_for_a_shard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def half(tensors: object, path: Path, **rest: object) -> None:
        path.write_bytes(b"\x00" * 64)
        raise OSError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(shape_samples, "save_file", half)
        with pytest.raises(OSError, match="no space left"):
            shape_samples._synthetic_shard(range(2), tmp_path, SETTINGS)
    assert list(tmp_path.glob("*.safetensors")) == []
    with pytest.raises(ValueError, match="no shards match"):
        load_samples(tmp_path)
    build(tmp_path)
    assert len(load_samples(tmp_path)) == 3


def test_corpus_shards_hold_one_split_with_its_weights(tmp_path: Path, corpus_root: Path) -> None:
    out = tmp_path / "train"
    build_corpus(out, corpus_root, "train", settings=SETTINGS, processes=1)
    build_corpus(tmp_path / "val", corpus_root, "val", settings=SETTINGS, processes=1)
    train, val = load_samples(out, "corpus-*"), load_samples(tmp_path / "val")
    assert train.ids == ["alpha/chair cushion", "alpha/urn", "beta/oak"]
    assert train.captions[2] == ("oak", "an oak", "a green oak")
    assert val.ids == ["alpha/wall"]
    assert val.weights()[0] < train.weights()[0] == 1.0
    half = np.array([0.24, 0.24, 0.96])  # the urn is 1 x 1 x 4
    exact = np.clip(box_distance(train.queries[1].astype(np.float64), half), -0.25, 0.25)
    assert np.allclose(train.distances[1], exact, atol=2e-3)


def test_a_folder_without_shards_says_how_to_make_them(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="make them with `omni123-train data` first"):
        load_samples(tmp_path, "synthetic-*.safetensors")


def test_shards_of_another_format_are_refused_by_name(tmp_path: Path) -> None:
    save_file({"points": np.zeros((1, 1, 3))}, tmp_path / "old.safetensors", metadata={"format": "0"})
    with pytest.raises(ValueError, match=r"old\.safetensors has another format"):
        load_samples(tmp_path)
