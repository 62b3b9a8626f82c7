"""What each side may ask of the other; the backend's own values travel in `welcome`."""

from __future__ import annotations

from dataclasses import dataclass, fields

KIB = 1 << 10
MIB = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Sizes in bytes unless the comment says otherwise; all positive."""

    header: int = 64 * KIB
    frame: int = 256 * KIB  # one binary frame, and so one chunk of a blob
    frames: int = 4  # binary frames in a message
    window: int = 1 * MIB  # of one blob asked for and not yet received
    preview: int = 64 * KIB  # a preview this small rides inside its event
    prompt: int = 20_000  # UTF-8, after cleaning
    blob: int = 256 * MIB
    mesh_vertices: int = 5_000_000  # count
    mesh_faces: int = 5_000_000  # count
    shape_tokens: int = 65_536  # count
    image: int = 32 * MIB  # one image file
    image_pixels: int = 1 << 24  # width times height, 4096 x 4096
    jobs_queued: int = 1_000  # count, over all owners
    jobs_per_owner: int = 100  # count, queued or running
    uploads: int = 64  # unfinished `put`s over all owners

    def __post_init__(self) -> None:
        for field in fields(self):
            if getattr(self, field.name) <= 0:
                raise ValueError(f"limit {field.name} must be positive, not {getattr(self, field.name)}")


# What a side assumes before `welcome` has told it the backend's own.
DEFAULT_LIMITS = Limits()
