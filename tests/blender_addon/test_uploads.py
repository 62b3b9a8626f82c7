"""Source files go with their jobs: kept, asked for, put in pieces, resumed; the backend answers by hand."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from omni123_extension.blender_addon.core.jobs import Job
from omni123_extension.blender_addon.core.problems import ProblemError
from omni123_extension.blender_addon.core.uploads import GRACE, SourceFiles
from omni123_extension.protocol import messages as wire
from omni123_extension.protocol.arrays import encode_mesh
from omni123_extension.protocol.blobs import digest
from omni123_extension.protocol.errors import problem
from omni123_extension.protocol.jobs import JobSpec

from tests.blender_addon.client_setting import TARGET, Setting

EDIT = JobSpec(task="edit_shape", prompt="longer legs", inputs=("mesh",))
# of several windows of 1 MiB
MESH = encode_mesh(np.random.default_rng(0).random((120_000, 3)), [[0, 1, 2]])


@pytest.fixture
def setting(tmp_path: Path) -> Iterator[Setting]:
    setting = Setting(tmp_path)
    yield setting
    setting.store.close()


def puts(setting: Setting) -> list[wire.Put]:
    return [message for message in setting.backend.received if isinstance(message, wire.Put)]


def submits(setting: Setting) -> list[wire.Submit]:
    return [message for message in setting.backend.received if isinstance(message, wire.Submit)]


def needed(setting: Setting, job: Job) -> None:
    setting.backend.say(wire.Need(job=job.id, blobs=job.blobs))
    setting.step()


def asked(setting: Setting, mesh: bytes = MESH) -> Job:
    job = setting.client.submit(EDIT, TARGET, [mesh])
    setting.step()
    needed(setting, job)
    return job


def have(setting: Setting, off: int) -> None:
    setting.backend.say(wire.Have(sha=digest(MESH), off=off))
    setting.step()


def test_a_source_is_put_when_it_is_asked_for_and_its_job_sent_again(setting: Setting) -> None:
    job = asked(setting)
    assert submits(setting)[0].blobs == (digest(MESH),)
    held = 0
    while held < len(MESH):
        assert len(submits(setting)) == 1
        held = puts(setting)[-1].off + 262_144
        have(setting, min(held, len(MESH)))
    assert [put.off for put in puts(setting)] == list(range(0, len(MESH), 262_144))
    assert job.words.startswith("Sending")
    assert len(submits(setting)) == 2


def test_no_more_than_the_window_is_under_way(setting: Setting) -> None:
    asked(setting)
    setting.step()
    assert len(puts(setting)) == 4


def test_a_job_is_not_sent_again_while_its_source_is(setting: Setting) -> None:
    asked(setting)
    for _ in range(13):
        setting.step()
    assert len(submits(setting)) == 1


def test_a_silent_backend_gets_the_file_again_from_what_it_holds(setting: Setting) -> None:
    asked(setting)
    have(setting, 262_144)
    sent = len(puts(setting))
    setting.now += 5.0
    setting.client.connection._heard = setting.now  # it is slow, not gone
    setting.step()
    assert puts(setting)[sent].off == 262_144


def test_a_new_connection_is_asked_afresh(setting: Setting) -> None:
    job = asked(setting)
    setting.welcome("e2")
    assert len(submits(setting)) == 2
    needed(setting, job)
    assert puts(setting)[-4].off == 0


def test_a_refused_source_fails_its_job_with_the_sentence(setting: Setting) -> None:
    job = asked(setting)
    setting.backend.say(wire.Error(error=problem("bad_hash"), sha=digest(MESH)))
    setting.step()
    assert job.state == "failed"
    assert job.problem is not None
    assert job.problem.code == "bad_hash"


def test_a_crowded_backend_is_tried_again(setting: Setting) -> None:
    job = asked(setting)
    setting.backend.say(wire.Error(error=problem("quota"), sha=digest(MESH)))
    setting.step()
    assert job.is_open


def test_a_source_that_is_gone_is_said(setting: Setting, tmp_path: Path) -> None:
    job = setting.client.submit(EDIT, TARGET, [MESH])
    (tmp_path / "sources" / digest(MESH)).write_bytes(b"something else")
    needed(setting, job)
    assert job.problem is not None
    assert job.problem.code == "source_gone"
    with pytest.raises(ProblemError, match="no longer on this computer"):
        setting.client.submit_again(job)


def test_a_job_comes_back_with_its_files_and_can_be_asked_again(setting: Setting) -> None:
    job = setting.client.submit(EDIT, TARGET, [MESH])
    later = setting.new_client("second")
    assert later.jobs[job.id].blobs == job.blobs
    again = later.submit_again(later.jobs[job.id])
    assert (again.spec, again.blobs) == (job.spec, job.blobs)
    assert again.id != job.id


def test_a_job_without_its_file_is_not_written_down(setting: Setting) -> None:
    with pytest.raises(ProblemError, match="declares 1 files"):
        setting.client.submit(EDIT, TARGET)
    assert setting.store.load() == []


def test_a_list_of_an_earlier_version_is_read(setting: Setting) -> None:
    setting.client.submit(JobSpec(prompt="a chair"), TARGET)
    setting.store._db.execute("UPDATE jobs SET blobs = NULL")
    assert [job.blobs for job in setting.store.load()] == [()]


def test_only_old_files_that_no_request_uses_are_removed(tmp_path: Path) -> None:
    files = SourceFiles(tmp_path)
    used, old, new = (files.keep(data) for data in (b"used", b"old", b"new"))
    for sha in (used, old):
        os.utime(tmp_path / sha, (0, tmp_path.stat().st_mtime - GRACE - 10))
    files.prune({used})
    assert {path.name for path in tmp_path.iterdir()} == {used, new}
