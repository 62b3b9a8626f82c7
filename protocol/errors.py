"""Errors on the wire: a code, a plain sentence, and what to do about it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Literal

Retry = Literal["never", "now", "later"]


@dataclass(frozen=True, kw_only=True)
class Problem:
    """What went wrong, as an artist reads it. `log_id` finds the line in the backend's log."""

    code: str
    message: str
    hint: str = ""
    retry: Retry = "never"
    job: str | None = None
    field: str | None = None
    log_id: str = ""


@dataclass(frozen=True)
class Wording:
    """The standard words of a code."""

    message: str
    hint: str
    retry: Retry


UPDATE = "Update the older of the add-on and the backend."
REPORT = "This is a fault of the program: please report it with the log."

CODES: dict[str, Wording] = {
    # wire
    "bad_frame": Wording("A message's frames could not be read.", REPORT, "never"),
    "bad_header": Wording("A message's header could not be read.", REPORT, "never"),
    "unknown_type": Wording("The other side does not know this kind of message.", UPDATE, "never"),
    "version": Wording("The add-on and the backend speak different versions.", UPDATE, "never"),
    "no_hello": Wording("The backend does not know this connection yet.", "Reconnect.", "now"),
    "too_big": Wording("A message is larger than allowed.", "Send less at once.", "never"),
    # access; all but `key_unknown` are found by the client alone, from the handshake or from silence
    "no_backend": Wording(
        "The backend does not answer.", "See that it runs, and that it can be reached.", "later"
    ),
    "key_unknown": Wording(
        "This server does not know your key yet.", "Ask its owner to add your key.", "later"
    ),
    "wrong_server": Wording(
        "This is not the server you paired with.", "Pair again with the server's current key.", "never"
    ),
    "not_encrypted": Wording("The server expects an encrypted connection.", UPDATE, "never"),
    # submit
    "empty_prompt": Wording("The prompt is empty.", "Describe the object in a few words.", "never"),
    "too_long": Wording("The prompt is too long.", "Shorten it.", "never"),
    "unknown_task": Wording("The backend does not know this task.", UPDATE, "never"),
    "bad_option": Wording("A setting has a value that cannot be used.", "Change it.", "never"),
    "bad_mesh": Wording("The mesh cannot be used.", "Repair it and try again.", "never"),
    "bad_image": Wording("The image cannot be used.", "Save it again as PNG and try again.", "never"),
    "bad_tokens": Wording("The shape tokens cannot be used.", "Generate the object again.", "never"),
    "id_conflict": Wording("Another request already has this id.", "Start a new request.", "never"),
    "queue_full": Wording("The backend's queue is full.", "Try again in a few minutes.", "later"),
    "quota": Wording("You have too many requests waiting.", "Wait for some to finish.", "later"),
    "no_job": Wording("The backend does not have this request.", "Send it again.", "now"),
    # job
    "worker_crash": Wording(
        "The process that runs the model stopped unexpectedly.",
        "Try again; if it happens again, look at the backend's worker log.",
        "later",
    ),
    "model_missing": Wording(
        "The model's weights are not there.", "Choose the folder that holds them, or download them.", "later"
    ),
    "model_corrupt": Wording(
        "The model's weights cannot be read.", "Download or export them again.", "later"
    ),
    "empty_shape": Wording("The shape came out empty.", "Try another seed or other words.", "never"),
    "gpu_oom": Wording("The device ran out of memory.", "Lower the resolution and try again.", "later"),
    "internal": Wording("The backend failed at this request.", REPORT, "later"),
    # blob
    "no_blob": Wording("The backend no longer has this file.", "Generate it again.", "never"),
    "bad_hash": Wording("A file arrived damaged.", "Try again.", "now"),
}


class ProtocolError(ValueError):
    """Input that breaks the contract; the only exception that reading a peer's bytes may raise."""

    def __init__(
        self,
        code: str,
        message: str | None = None,
        *,
        hint: str | None = None,
        field: str | None = None,
        job: str | None = None,
    ) -> None:
        wording = CODES[code]
        self.code = code
        self.message = message or wording.message
        self.hint = wording.hint if hint is None else hint
        self.retry: Retry = wording.retry
        self.field = field
        self.job = job
        super().__init__(f"{self.message} {self.hint}".strip())

    def problem(self, job: str | None = None) -> Problem:
        """The same as a wire value, with a fresh log id."""
        return Problem(
            code=self.code,
            message=self.message,
            hint=self.hint,
            retry=self.retry,
            job=job or self.job,
            field=self.field,
            log_id=new_log_id(),
        )


def new_log_id() -> str:
    return secrets.token_hex(4)


def problem(code: str, message: str | None = None, **more: str | None) -> Problem:
    """The standard words of `code`, or `message` instead of its sentence."""
    return ProtocolError(code, message, **more).problem()
