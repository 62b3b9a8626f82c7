"""Failures as values: one plain sentence, what to do about it, and the button that does it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ...protocol import errors


@dataclass(frozen=True, kw_only=True)
class Problem:
    """`fix_operator` is the operator id behind the button labelled `fix_label`; empty: no button."""

    code: str
    sentence: str
    hint: str = ""
    fix_operator: str = ""
    fix_label: str = ""


class ProblemError(Exception):
    """Carries a Problem to where the artist can see it."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(f"{problem.sentence} {problem.hint}".strip())
        self.problem = problem


PREFERENCES = ("omni123.open_preferences", "Open Preferences")
START = ("omni123.start_backend", "Start Backend")
RETRY = ("omni123.retry", "Try Again")
COPY_KEY = ("omni123.copy_key", "Copy My Key")
ONLINE = ("omni123.open_system_preferences", "Open System Preferences")

# Problems found on this side: code -> sentence, hint, (operator, label)
LOCAL: dict[str, tuple[str, str, tuple[str, str]]] = {
    "no_backend_folder": (
        "The Omni123 backend was not found.",
        "Choose the folder that holds it in the preferences, or connect to a server.",
        PREFERENCES,
    ),
    "no_python": (
        "No Python was found to run the backend with.",
        "Run scripts/run.py in the Omni123 folder once, or choose a Python in the preferences.",
        PREFERENCES,
    ),
    "not_running": (
        "The backend is not running.",
        "Start it, or let it start by itself (preferences).",
        START,
    ),
    "backend_start": ("The backend did not start.", "Its log says why.", START),
    "backend_silent": ("The backend does not answer.", "Start it again, or look at its log.", START),
    "backend_stopped": (
        "The backend stopped unexpectedly and is being started again.",
        "Your requests are kept.",
        ("", ""),
    ),
    "backend_crashes": (
        "The backend keeps stopping; it was started again three times.",
        "Look at its log, then start it again.",
        START,
    ),
    "server_silent": (
        "The server does not answer.",
        "Check its address and that it is running; Omni123 keeps trying.",
        PREFERENCES,
    ),
    "bad_endpoint": (
        "The server's address cannot be read.",
        "Paste the whole line the server printed: omni123://host:port/#key.",
        PREFERENCES,
    ),
    "offline": (
        "Blender is set to stay offline, so the server cannot be reached.",
        "Allow online access, or clear the server address to work on this computer.",
        ONLINE,
    ),
    "gave_up": ("The backend lost this request again and again.", "Try it again.", RETRY),
    "job_store": (
        "The list of requests could not be saved, so nothing was sent.",
        "Check that your disk is not full.",
        ("", ""),
    ),
    "source_gone": (
        "The source of this request is no longer on this computer.",
        "Ask again from the object or the image.",
        ("", ""),
    ),
    "edit_beside": (
        "The object has changed since the edit was asked for, so the result stands beside it.",
        "Delete the one you do not want.",
        ("", ""),
    ),
    "timed_out": ("The request took too long.", "Try it again.", RETRY),
}

# Buttons for problems the backend reports.
_FIXES: dict[str, tuple[str, str]] = {
    "key_unknown": COPY_KEY,
    "no_backend": START,
    "wrong_server": PREFERENCES,
    "not_encrypted": PREFERENCES,
    "model_missing": PREFERENCES,
    "model_corrupt": PREFERENCES,
    "worker_crash": RETRY,
    "gpu_oom": RETRY,
    "internal": RETRY,
    "queue_full": RETRY,
    "quota": RETRY,
    "no_blob": RETRY,
    "bad_hash": RETRY,
    "no_job": RETRY,
}


def local_problem(code: str, *, sentence: str | None = None, hint: str | None = None) -> Problem:
    """The standard words of a code of this side, or those given instead."""
    standard_sentence, standard_hint, (operator, label) = LOCAL[code]
    return Problem(
        code=code,
        sentence=sentence or standard_sentence,
        hint=standard_hint if hint is None else hint,
        fix_operator=operator,
        fix_label=label,
    )


def from_wire(problem: errors.Problem) -> Problem:
    """What the backend said, with this side's button; its texts are cut to what a panel can hold."""
    operator, label = _FIXES.get(problem.code, ("", ""))
    return Problem(
        code=problem.code[:40],
        sentence=problem.message[:300],
        hint=problem.hint[:300],
        fix_operator=operator,
        fix_label=label,
    )


def from_code(code: str) -> Problem:
    """The standard words of a code of the protocol."""
    return from_wire(errors.problem(code))


def from_error(error: errors.ProtocolError) -> Problem:
    return from_wire(error.problem())


def with_fix(problem: Problem, fix: tuple[str, str]) -> Problem:
    return replace(problem, fix_operator=fix[0], fix_label=fix[1])
