"""Cameras of pictures: the backend's, which lays drawn views back onto shapes by them."""

from __future__ import annotations

from backend.geometry.cameras import BOX, CANONICAL, FIELD_OF_VIEW, FILL, Camera, Pose, place, pose_of

__all__ = ["BOX", "CANONICAL", "FIELD_OF_VIEW", "FILL", "Camera", "Pose", "place", "pose_of"]
