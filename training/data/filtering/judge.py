"""The verdict on one asset: what was measured, and every reason against it with its numbers in a sentence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from training.data.assets.asset import Asset, Rejected
from training.data.filtering.field import thin_walls
from training.data.filtering.settings import FilterSettings
from training.data.filtering.shape import (
    WeldedMesh,
    degenerate_share,
    duplicate_share,
    flat_regions,
    floaters,
    noise,
    thinnest_side,
)
from training.data.filtering.surface import bad_uv_share, texels_per_side


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Measures by name, and reasons as (code, sentence) in the order of PREDICATES."""

    measures: dict[str, float]
    reasons: tuple[tuple[str, str], ...]

    @property
    def kept(self) -> bool:
        return not self.reasons


Finding = tuple[dict[str, float], str | None]
Predicate = Callable[[WeldedMesh, FilterSettings], Finding]


def _too_few_faces(mesh: WeldedMesh, limits: FilterSettings) -> Finding:
    n = len(mesh.faces)
    wrong = n < limits.min_faces
    return {"faces": n}, f"It has {n} faces, under {limits.min_faces}." if wrong else None


def _degenerate_faces(mesh: WeldedMesh, limits: FilterSettings) -> Finding:
    share = degenerate_share(mesh)
    wrong = share > limits.max_degenerate
    return {"degenerate": share}, f"{share:.0%} of its faces have no area." if wrong else None


def _duplicate_faces(mesh: WeldedMesh, limits: FilterSettings) -> Finding:
    share = duplicate_share(mesh)
    wrong = share > limits.max_duplicate
    return {"duplicate": share}, f"{share:.0%} of its surface is there twice." if wrong else None


def _no_volume(mesh: WeldedMesh, limits: FilterSettings) -> Finding:
    side = thinnest_side(mesh)
    wrong = side < limits.min_side
    return {"thinnest_side": side}, f"It is flat: {side:.2%} of its length thick." if wrong else None


def _too_simple(mesh: WeldedMesh, limits: FilterSettings) -> Finding:
    n = flat_regions(mesh, limits.flat_degrees)
    wrong = n < limits.min_regions
    return {"regions": n}, f"It has {n} flat regions, no more than a box." if wrong else None


def _broken_uvs(mesh: WeldedMesh, limits: FilterSettings) -> Finding:
    share = bad_uv_share(mesh.asset, limits.smear_ratio, limits.smear_texels, limits.smear_contrast)
    wrong = share > limits.max_bad_uvs
    return {"bad_uvs": share}, f"{share:.0%} of its textured surface has broken UVs." if wrong else None


def _low_resolution_texture(mesh: WeldedMesh, limits: FilterSettings) -> Finding:
    n = texels_per_side(mesh.asset)
    wrong = n < limits.min_texels
    measured = {"texels": n} if n < float("inf") else {}
    return measured, f"Its texture has {n:.0f} texels along its longest side." if wrong else None


def _scan_noise(mesh: WeldedMesh, limits: FilterSettings) -> Finding:
    share = noise(mesh, limits.noise_bend, limits.noise_length)
    wrong = share > limits.noise_edges and len(mesh.faces) >= limits.noise_faces
    return {"noise": share}, f"{share:.0%} of its edges bend in and out like a raw scan's." if wrong else None


def _thin_walls(mesh: WeldedMesh, limits: FilterSettings) -> Finding:
    share, area = thin_walls(mesh, limits.wall, limits.thin_samples)
    wrong = share > limits.max_thin and area > limits.max_thin_area
    return {
        "thin": share,
        "thin_area": area,
    }, f"{share:.0%} of its skin has no inside behind it." if wrong else None


def _floaters(mesh: WeldedMesh, limits: FilterSettings) -> Finding:
    share, gap = floaters(mesh, limits.floater_gap)
    wrong = gap > 0 and limits.min_floater <= share <= limits.max_floater
    sentence = f"Small parts ({share:.1%} of its surface) float {gap:.0%} of its length from the rest."
    return {"floating": share, "floating_gap": gap}, sentence if wrong else None


PREDICATES: dict[str, Predicate] = {
    "too_few_faces": _too_few_faces,
    "degenerate_faces": _degenerate_faces,
    "duplicate_faces": _duplicate_faces,
    "no_volume": _no_volume,
    "too_simple": _too_simple,
    "broken_uvs": _broken_uvs,
    "low_resolution_texture": _low_resolution_texture,
    "scan_noise": _scan_noise,
    "thin_walls": _thin_walls,
    "floaters": _floaters,
}
# What makes the measures after it meaningless.
_FINAL = ("too_few_faces", "no_volume")


def judge(asset: Asset, settings: FilterSettings) -> Verdict:
    """Measures everything that can be measured; an asset without area has only too_few_faces."""
    mesh = WeldedMesh(asset)
    measures: dict[str, float] = {}
    reasons = []
    for code, predicate in PREDICATES.items():
        found, sentence = predicate(mesh, settings)
        measures |= found
        if sentence is not None:
            reasons.append((code, sentence))
            if code in _FINAL:
                break
    return Verdict(measures=measures, reasons=tuple(reasons))


def require(asset: Asset, settings: FilterSettings) -> Verdict:
    """The verdict on an asset worth keeping. Raises Rejected with the first reason and all sentences."""
    verdict = judge(asset, settings)
    if not verdict.kept:
        raise Rejected(verdict.reasons[0][0], " ".join(sentence for _, sentence in verdict.reasons))
    return verdict
