"""Failures that cross module borders inside the backend, each with the sentence an artist may read."""

from __future__ import annotations


class Cancelled(Exception):  # noqa: N818 - it is no error
    """The artist asked to stop; raised between two tokens or between two chunks of surface extraction."""


class RequestError(ValueError):
    """One request cannot be served; the backend itself is well.

    `code` is a wire error code (docs/protocol.md), `message` says what is wrong and `hint` what to do.
    """

    def __init__(self, code: str, message: str, hint: str) -> None:
        super().__init__(f"{message} {hint}")
        self.code = code
        self.message = message
        self.hint = hint


class WeightsError(ValueError):
    """Weights are missing, corrupt, or of another shape than their configuration says."""
