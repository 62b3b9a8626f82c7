import numpy as np
import trimesh

from backend.geometry.islands import remove_islands
from backend.geometry.mesh import Mesh


def test_small_islands_are_removed_with_their_vertices() -> None:
    large = trimesh.creation.icosphere(2, 0.5)
    small = trimesh.creation.icosphere(1, 0.05)
    small.apply_translation((0.9, 0, 0))
    both = small + large
    colors = np.arange(len(both.vertices) * 4).astype(np.uint8).reshape(-1, 4)
    mesh = Mesh(vertices=both.vertices.astype(np.float32), faces=both.faces.astype(np.int32), colors=colors)
    kept = remove_islands(mesh, 0.02)
    assert len(kept.faces) == len(large.faces)
    assert kept.colors is not None
    np.testing.assert_array_equal(kept.colors, colors[len(small.vertices) :])
    assert len(remove_islands(mesh, 0.001).faces) == len(mesh.faces)


def test_small_parts_that_are_spared_stay_whole_and_others_go() -> None:
    large = trimesh.creation.icosphere(2, 0.5)
    small = trimesh.creation.icosphere(1, 0.05)
    both = small + large
    mesh = Mesh(vertices=both.vertices.astype(np.float32), faces=both.faces.astype(np.int32))
    spared = np.arange(len(mesh.vertices)) < len(small.vertices)
    assert len(remove_islands(mesh, 0.02, spared).faces) == len(mesh.faces)
    spared[0] = False  # an edit cut into it: what is left is a crumb
    assert len(remove_islands(mesh, 0.02, spared).faces) == len(large.faces)
