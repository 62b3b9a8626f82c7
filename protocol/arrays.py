"""Meshes and shape tokens as safetensors bytes, checked on the way out and on the way in.

Needs numpy and safetensors; the rest of this package does not import it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray
from safetensors import SafetensorError
from safetensors import numpy as safetensors_numpy

from .errors import ProtocolError
from .framing import Buffer
from .limits import DEFAULT_LIMITS, Limits


@dataclass(frozen=True, kw_only=True)
class MeshArrays:
    """vertices (n, 3) float32, Blender's frame; faces (m, 3) int32; colors (n, 4) uint8 sRGB or None."""

    vertices: NDArray[np.float32]
    faces: NDArray[np.int32]
    colors: NDArray[np.uint8] | None = None


def encode_mesh(
    vertices: ArrayLike, faces: ArrayLike, colors: ArrayLike | None = None, limits: Limits = DEFAULT_LIMITS
) -> bytes:
    """Raises ProtocolError("bad_mesh") as `decode_mesh` would."""
    tensors = {
        "vertices": np.ascontiguousarray(vertices, dtype=np.float32),
        "faces": _as_int32(np.asarray(faces)),
    }
    if colors is not None:
        tensors["colors"] = np.ascontiguousarray(colors)
    check_mesh(tensors, limits)
    return safetensors_numpy.save(tensors)


def decode_mesh(data: Buffer, limits: Limits = DEFAULT_LIMITS) -> MeshArrays:
    """Raises ProtocolError("bad_mesh") naming what is wrong: file, vertices, faces or colors."""
    return check_mesh(load_arrays(data, "bad_mesh", limits), limits)


def check_mesh(tensors: dict[str, NDArray[Any]], limits: Limits = DEFAULT_LIMITS) -> MeshArrays:
    """Shapes, counts, finite vertices, indices in range, colours uint8."""
    vertices, faces, colors = (tensors.get(name) for name in ("vertices", "faces", "colors"))
    if vertices is None or vertices.dtype != np.float32 or vertices.ndim != 2 or vertices.shape[1] != 3:
        _refuse("The mesh's vertices are not (n, 3) float32.", "vertices")
    if faces is None or faces.dtype != np.int32 or faces.ndim != 2 or faces.shape[1] != 3:
        _refuse("The mesh's faces are not (m, 3) int32.", "faces")
    if not len(vertices) or not len(faces):
        _refuse("The mesh is empty.", "empty")
    if len(vertices) > limits.mesh_vertices:
        _refuse(
            f"The mesh has {len(vertices)} vertices of {limits.mesh_vertices} allowed.", "too_many_vertices"
        )
    if len(faces) > limits.mesh_faces:
        _refuse(f"The mesh has {len(faces)} faces of {limits.mesh_faces} allowed.", "too_many_faces")
    finite = np.isfinite(vertices).all(axis=1)
    if not finite.all():
        _refuse(f"Vertex {int(np.argmin(finite))} of the mesh is not a finite point.", "nan_vertex")
    if faces.min() < 0 or faces.max() >= len(vertices):
        bad = int(np.argmax(((faces < 0) | (faces >= len(vertices))).any(axis=1)))
        _refuse(f"Face {bad} of the mesh names a vertex that does not exist.", "index_range")
    if colors is not None and (colors.dtype != np.uint8 or colors.shape != (len(vertices), 4)):
        _refuse("The mesh's colours are not (n, 4) uint8, one for each vertex.", "colors")
    return MeshArrays(vertices=vertices, faces=faces, colors=colors)


def encode_tokens(tokens: ArrayLike, limits: Limits = DEFAULT_LIMITS) -> bytes:
    """tokens: (n,) whole numbers below 65,536."""
    values = np.asarray(tokens)
    if values.ndim != 1 or values.dtype.kind not in "iu" or not 0 < len(values) <= limits.shape_tokens:
        raise ProtocolError("bad_tokens", "Shape tokens must be a non-empty list of whole numbers.")
    if values.min() < 0 or values.max() > np.iinfo(np.uint16).max:
        raise ProtocolError("bad_tokens", "A shape token is out of range.")
    return safetensors_numpy.save({"tokens": np.ascontiguousarray(values, dtype=np.uint16)})


def decode_tokens(data: Buffer, limits: Limits = DEFAULT_LIMITS) -> NDArray[np.uint16]:
    """(n,) uint16. Raises ProtocolError("bad_tokens")."""
    tokens = load_arrays(data, "bad_tokens", limits).get("tokens")
    if tokens is None or tokens.dtype != np.uint16 or tokens.ndim != 1:
        raise ProtocolError("bad_tokens", "The shape tokens are not (n,) uint16.")
    if not 0 < len(tokens) <= limits.shape_tokens:
        raise ProtocolError(
            "bad_tokens", f"There are {len(tokens)} shape tokens of {limits.shape_tokens} allowed."
        )
    return tokens


def load_arrays(data: Buffer, code: str, limits: Limits) -> dict[str, NDArray[Any]]:
    if len(data) > limits.blob:
        raise ProtocolError("too_big", f"A file has {len(data)} bytes of {limits.blob} allowed.")
    try:
        return safetensors_numpy.load(bytes(data))
    except (SafetensorError, ValueError, KeyError, TypeError, OverflowError) as error:
        raise ProtocolError(
            code, f"The file is not a valid safetensors file ({error!s:.80}).", field="file"
        ) from error


def _as_int32(faces: NDArray[Any]) -> NDArray[np.int32]:
    if faces.dtype.kind not in "iu":
        _refuse("The mesh's faces are not whole numbers.", "faces")
    if faces.size and (faces.min() < 0 or faces.max() > np.iinfo(np.int32).max):
        _refuse("A face of the mesh names a vertex that does not exist.", "index_range")
    return np.ascontiguousarray(faces, dtype=np.int32)


def _refuse(message: str, field: str) -> NoReturn:
    raise ProtocolError("bad_mesh", message, field=field)
