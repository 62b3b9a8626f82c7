"""How a cube's surface is cut into triangles, for every sign of its corners: the table of marching cubes.

Lorensen & Cline 1987, with ambiguous faces resolved by the asymptotic decider (Nielson & Hamann 1991), so
that two cells always cut the face they share alike. The table is derived, not listed: crossed edges are
joined to loops face by face, each loop is cut into triangles. Corner c lies at (c >> 2, c >> 1, c) & 1.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

# Corners of each face, counter-clockwise seen from outside; opposite ones of an ambiguous face are alike.
FACES = (
    (0, 1, 3, 2),
    (4, 6, 7, 5),
    (0, 4, 5, 1),
    (2, 3, 7, 6),
    (0, 2, 6, 4),
    (1, 5, 7, 3),
)
# Corner pairs of each edge, lower first; the axis of edge e is e // 4.
EDGES = tuple((c, c + step) for step in (4, 2, 1) for c in range(8) if not c & step)
CENTER = 12  # stands in the table for a vertex amid the loop, where no other cut is sound
MAX_TRIANGLES = 12  # of any cell

_EDGE_OF = {frozenset(pair): edge for edge, pair in enumerate(EDGES)}
_MIDDLES = np.array([[(a >> s & 1) + (b >> s & 1) for s in (2, 1, 0)] for a, b in EDGES]) / 2
Loop = tuple[int, ...]
Triangle = tuple[int, int, int]


@cache
def table() -> tuple[NDArray[np.int32], NDArray[np.int8]]:
    """First triangle (256 * 64 + 1,) of each case, and the edges (m, 3) of all triangles.

    A case is `signs * 64 + joined`: bit c of signs is set where corner c is inside, bit f of joined where the
    inside corners of the ambiguous face f are joined across it.
    """
    starts, triangles = [0], []
    for signs in range(256):
        inside = [bool(signs >> corner & 1) for corner in range(8)]
        ambiguous = sum(1 << f for f, face in enumerate(FACES) if _ambiguous([inside[c] for c in face]))
        for joined in range(64):
            if not joined & ~ambiguous:
                for loop in _loops(inside, joined):
                    triangles += _cut(loop)
            starts.append(len(triangles))
    return np.array(starts, np.int32), np.array(triangles, np.int8)


def _ambiguous(face: list[bool]) -> bool:
    return face[0] == face[2] != face[1] == face[3]


def _loops(inside: list[bool], joined: int) -> list[Loop]:
    """Closed paths of crossed edges, counter-clockwise seen from outside the shape."""
    after: dict[int, int] = {}
    for number, face in enumerate(FACES):
        sides = [_EDGE_OF[frozenset((face[i], face[(i + 1) % 4]))] for i in range(4)]
        leaving = [i for i in range(4) if inside[face[i]] and not inside[face[(i + 1) % 4]]]
        entering = [i for i in range(4) if inside[face[(i + 1) % 4]] and not inside[face[i]]]
        for i in leaving:
            # Joined corners leave the outside ones cut off: the path returns at the next crossing.
            turn = 1 if joined >> number & 1 else 3
            end = (i + turn) % 4 if len(entering) == 2 else entering[0]
            after[sides[end]] = sides[i]
    loops = []
    while after:
        start, edge = next(iter(after.items()))
        path = [start]
        while edge != start:
            path.append(edge)
            edge = after.pop(edge)
        del after[start]
        loops.append(tuple(path))
    return loops


def _cut(loop: Loop) -> list[Triangle]:
    """The triangles of a loop with the shortest chords; none within a face, where a neighbour may have it."""
    size = len(loop)
    best: dict[tuple[int, int], tuple[float, list[Triangle]]] = {(i, i + 1): (0.0, []) for i in range(size)}
    for span in range(2, size):
        for i in range(size - span):
            j = i + span
            cuts = [_joined(best[i, k], best[k, j], (loop[i], loop[k], loop[j])) for k in range(i + 1, j)]
            cost, triangles = min(cuts, key=lambda cut: cut[0])
            closing = span == size - 1
            best[i, j] = (cost if closing else cost + _chord(loop[i], loop[j]), triangles)
    cost, triangles = best[0, size - 1]
    if np.isfinite(cost):
        return triangles
    return [(loop[i - 1], loop[i], CENTER) for i in range(size)]


def _joined(
    left: tuple[float, list[Triangle]], right: tuple[float, list[Triangle]], middle: Triangle
) -> tuple[float, list[Triangle]]:
    return left[0] + right[0], [*left[1], *right[1], middle]


def _chord(a: int, b: int) -> float:
    """Squared length of a chord between two edges' middles; infinite within a face."""
    if any({*EDGES[a], *EDGES[b]} <= set(face) for face in FACES):
        return float("inf")
    return float(((_MIDDLES[a] - _MIDDLES[b]) ** 2).sum())
