"""docs/protocol.md is the specification: its examples decode, its tables and version are the code's."""

from __future__ import annotations

import dataclasses
import json
import re
from operator import attrgetter
from pathlib import Path
from typing import get_args

import pytest

from protocol.errors import CODES
from protocol.framing import decode, encode
from protocol.jobs import JobSpec, checked_spec
from protocol.limits import Limits
from protocol.messages import BACKEND_TYPES, CLIENT_TYPES, EVENT_KINDS, FRAMES, Submit, message_class
from protocol.tasks import TASKS, VIEWS, InputKind, Task
from protocol.version import PREAMBLE, VERSION

DOCUMENT = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text(encoding="utf-8")
COUNTS = attrgetter("images", "image_views", "views")
EXAMPLES = [line for line in DOCUMENT.splitlines() if line.startswith('{"type"')]


def table(heading: str) -> list[list[str]]:
    """Cells of the first table under a heading, without back-ticks."""
    section = re.split(rf"^#+ {heading}$", DOCUMENT, flags=re.M)[1].split("\n#")[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| `")]
    return [[cell.strip("` ") for cell in row] for row in rows]


def test_version_is_the_codes() -> None:
    assert DOCUMENT.splitlines()[0] == f"# O3P, version {VERSION}"


@pytest.mark.parametrize(
    "example", EXAMPLES, ids=lambda text: " ".join(re.findall(r'"(?:type|kind)": "(\w+)"', text))
)
def test_example_decodes_and_round_trips(example: str) -> None:
    raw = json.loads(example)
    carries = FRAMES.get(message_class(raw), (0, 0))[0] or int(raw.get("of") == "image")
    packet = decode([PREAMBLE, example.encode(), *[b"four"] * carries])
    if isinstance(packet.message, Submit):
        assert checked_spec(packet.message.spec, len(packet.message.blobs)) == packet.message.spec
    assert decode(encode(packet.message, packet.frames)) == packet
    assert set(raw) - {"type", "kind"} <= {field.name for field in dataclasses.fields(packet.message)}


def test_every_message_has_an_example_and_a_row() -> None:
    shown = {json.loads(line).get("kind") or json.loads(line)["type"] for line in EXAMPLES}
    assert shown == set(CLIENT_TYPES) | set(BACKEND_TYPES) | set(EVENT_KINDS)
    assert [row[0] for row in table("Client to backend")] == list(CLIENT_TYPES)
    assert {row[0] for row in table("Backend to client")} == {*BACKEND_TYPES, "event"}
    assert [row[0] for row in table("Events")] == list(EVENT_KINDS)


def test_limits_are_the_codes() -> None:
    assert {row[0]: int(row[1]) for row in table("Limits")} == dataclasses.asdict(Limits())


def test_error_codes_are_the_codes() -> None:
    assert [row[0] for row in table("Errors")] == list(CODES)


def test_job_fields_are_the_codes() -> None:
    rows = {row[0]: row[2] for row in table("The job")}
    assert list(rows) == [field.name for field in dataclasses.fields(JobSpec)]
    assert re.findall(r"\w+", rows["inputs"]) == list(get_args(InputKind))
    assert re.findall(r"\w+", rows["views"])[: len(VIEWS)] == list(VIEWS)


def test_tasks_are_the_codes() -> None:
    def row(task: Task) -> list[str]:
        counts = [str(least) if least == most else f"{least} to {most}" for least, most in COUNTS(task)]
        return ["yes" if task.words else "may", "yes" if task.shape else "no", *counts]

    assert {row[0]: row[1:] for row in table("Tasks")} == {name: row(task) for name, task in TASKS.items()}
