"""Jobs: written before sent, followed, fetched, cancelled, resumed; the backend answers by hand."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from omni123_extension.blender_addon.core.jobs import Job
from omni123_extension.blender_addon.core.problems import ProblemError
from omni123_extension.protocol import messages as wire
from omni123_extension.protocol.blobs import digest
from omni123_extension.protocol.errors import problem
from omni123_extension.protocol.images import encode_pixels
from omni123_extension.protocol.jobs import JobSpec

from tests.blender_addon.client_setting import MESH, TARGET, TOKENS, Setting

PIXELS = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)
PICTURE = encode_pixels(PIXELS)
OTHER_PICTURE = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\x06"


@pytest.fixture
def setting(tmp_path: Path) -> Iterator[Setting]:
    setting = Setting(tmp_path)
    yield setting
    setting.store.close()


def test_a_job_is_written_down_before_it_is_sent(setting: Setting) -> None:
    job = setting.client.submit(JobSpec(prompt=" a  chair "), TARGET)
    assert "Submit" not in setting.backend.kinds()
    (saved,) = setting.store.load()
    assert (saved.id, saved.spec.prompt, saved.target) == (job.id, "a chair", TARGET)
    setting.step()
    assert setting.backend.kinds().count("Submit") == 1


@pytest.mark.parametrize(("prompt", "code"), [("  ", "empty_prompt"), ("long " * 5000, "too_long")])
def test_a_bad_prompt_is_refused_with_a_sentence_and_nothing_is_kept(
    setting: Setting, prompt: str, code: str
) -> None:
    with pytest.raises(ProblemError) as refused:
        setting.client.submit(JobSpec(prompt=prompt), TARGET)
    assert refused.value.problem.code == code
    assert refused.value.problem.sentence.endswith(".")
    assert setting.store.load() == []


def test_nothing_is_sent_when_it_cannot_be_written_down(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(job: Job) -> None:
        raise sqlite3.OperationalError("disk full")

    monkeypatch.setattr(setting.store, "save", full)
    with pytest.raises(ProblemError):
        setting.client.submit(JobSpec(prompt="a chair"), TARGET)
    assert setting.client.jobs == {}


def test_progress_never_goes_back(setting: Setting) -> None:
    job = setting.accepted()
    setting.backend.event(wire.Progress, job, stage="shape tokens", done=50, total=100, seconds_left=4.0)
    setting.step()
    before = job.fraction
    setting.backend.event(wire.Progress, job, stage="shape tokens", done=10, total=100)
    setting.step()
    assert 0 < before == job.fraction
    assert job.words == "Shape tokens 10/100"
    assert job.first_sign is not None


def test_a_result_is_fetched_placed_and_acknowledged(setting: Setting) -> None:
    job = setting.accepted()
    setting.done(job)
    assert setting.client.arrived() is job
    assert job.mesh.faces.tolist() == [[0, 1, 2]]
    assert job.tokens == TOKENS
    setting.client.placed(job, "Chair", setting.now)
    setting.step()
    assert setting.backend.kinds()[-1] == "Ack"
    assert setting.store.load()[0].state == "placed"


def test_two_jobs_with_the_same_result_both_get_it(setting: Setting) -> None:
    first, second = setting.accepted(), setting.accepted()
    for job in (first, second):
        names = {"mesh": digest(MESH), "tokens": digest(TOKENS)}
        setting.backend.event(wire.Done, job, model="sphere", seconds={}, seed=3, **names)
    setting.step()
    setting.backend.serve_files(MESH, TOKENS)
    setting.step()
    assert (first.state, second.state) == ("arrived", "arrived")


def test_a_file_the_backend_has_dropped_fails_the_job(setting: Setting) -> None:
    job = setting.accepted()
    names = {"mesh": digest(MESH), "tokens": digest(TOKENS)}
    setting.backend.event(wire.Done, job, model="sphere", seconds={}, seed=3, **names)
    setting.step()
    setting.backend.say(wire.Error(error=problem("no_blob"), sha=digest(MESH)))
    setting.step()
    assert job.state == "failed"
    assert job.problem.fix_operator == "omni123.retry"


def test_a_damaged_mesh_fails_the_job_with_a_sentence(setting: Setting) -> None:
    job = setting.accepted()
    setting.done(job, mesh=b"not a mesh")
    assert job.state == "failed"
    assert job.problem.code == "bad_mesh"
    assert job.problem.sentence


def test_a_preview_inside_its_event_is_shown_and_a_bad_one_dropped(setting: Setting) -> None:
    job = setting.accepted()
    setting.backend.event(wire.Preview, job, (MESH,))
    setting.step()
    shown = job.preview
    setting.backend.event(wire.Preview, job, (b"rubbish",))
    setting.step()
    assert shown is not None
    assert job.preview is shown
    assert job.is_open


def test_a_picture_sharpens_and_is_kept_before_the_job_ends(setting: Setting) -> None:
    job = setting.accepted()
    setting.backend.event(wire.Preview, job, (encode_pixels(PIXELS),), of="image", segment=0)
    setting.step()
    assert np.array_equal(job.sharpening, PIXELS)
    setting.backend.event(wire.Partial, job, image=digest(PICTURE), view="left", segment=0)
    setting.step()
    setting.backend.serve_files(PICTURE)
    setting.step()
    assert job.sharpening is None
    fresh, drawing = setting.client.fresh_drawing()
    assert (fresh, drawing.picture.view, drawing.data) == (job, "left", PICTURE)
    setting.backend.event(wire.Cancelled, job)
    setting.step()
    assert setting.client.fresh_drawing() == (job, drawing)
    setting.client.kept(job, drawing, "Chair")
    assert setting.client.fresh_drawing() is None


def finish_with_pictures(setting: Setting, job: Job, *pictures: bytes, mesh: bytes | None = None) -> None:
    setting.backend.received.clear()
    named = tuple(wire.Picture(image=digest(data)) for data in pictures)
    names = {"mesh": digest(mesh), "tokens": digest(TOKENS)} if mesh else {}
    setting.backend.event(wire.Done, job, model="m", seconds={}, seed=3, pictures=named, **names)
    setting.step()
    setting.backend.serve_files(*pictures, *((mesh, TOKENS) if mesh else ()))
    setting.step()


def test_pictures_alone_are_a_result(setting: Setting) -> None:
    job = setting.accepted()
    finish_with_pictures(setting, job, PICTURE, OTHER_PICTURE)
    assert job.state == "arrived"
    assert {drawing.data for drawing in job.drawings} == {PICTURE, OTHER_PICTURE}


def test_a_picture_told_of_twice_comes_once(setting: Setting) -> None:
    job = setting.accepted()
    setting.backend.event(wire.Partial, job, image=digest(PICTURE))
    setting.step()
    setting.backend.serve_files(PICTURE)
    setting.step()
    finish_with_pictures(setting, job, PICTURE, mesh=MESH)
    assert job.state == "arrived"
    assert len(job.drawings) == 1


def test_a_bad_picture_costs_a_warning_beside_a_mesh_and_the_job_without_one(setting: Setting) -> None:
    job, alone = setting.accepted(), setting.accepted()
    finish_with_pictures(setting, job, b"\x89PNG\r\n\x1a\nrubbish", mesh=MESH)
    assert (job.state, job.drawings) == ("arrived", [])
    assert job.warning.startswith("A picture is missing")
    finish_with_pictures(setting, alone, b"RIFF....WEBPrubbish")
    assert (alone.state, alone.problem.code) == ("failed", "bad_image")


@pytest.mark.parametrize("data", [b"rubbish", encode_pixels(np.zeros((300, 300, 4), np.uint8))])
def test_a_bad_or_huge_preview_of_a_picture_is_dropped(setting: Setting, data: bytes) -> None:
    job = setting.accepted()
    setting.backend.event(wire.Preview, job, image=digest(data), of="image")
    setting.step()
    setting.backend.serve_files(data)
    setting.step()
    assert job.sharpening is None
    assert job.is_open


def test_every_field_of_a_job_is_written_down(setting: Setting) -> None:
    spec = JobSpec(
        prompt="a", box=(1.0, 2.0, 3.0), faces=100, smoothing=0.5, task="text_to_view", views=("top",)
    )
    setting.client.submit(spec, TARGET)
    assert setting.store.load()[0].spec == spec


def test_a_failure_ends_the_job_with_the_backends_sentence(setting: Setting) -> None:
    job = setting.accepted()
    setting.backend.event(wire.Failed, job, error=problem("model_corrupt"))
    setting.step()
    assert job.state == "failed"
    assert job.problem.fix_operator == "omni123.open_preferences"


def test_events_already_seen_are_ignored(setting: Setting) -> None:
    job = setting.accepted()
    setting.backend.event(wire.Running, job)
    setting.step()
    setting.backend.say(wire.Cancelled(job=job.id, attempt=1, seq=1_000_001))
    setting.step()
    assert job.state == "running"


def test_cancelling_waits_for_the_backends_answer(setting: Setting) -> None:
    job = setting.accepted()
    setting.client.cancel(job, setting.now)
    assert setting.backend.kinds()[-1] == "Cancel"
    assert job.is_open
    setting.backend.event(wire.Cancelled, job)
    setting.step()
    assert job.state == "cancelled"


def test_a_job_that_was_never_sent_is_cancelled_at_once(setting: Setting) -> None:
    setting.client.connection.close()
    job = setting.client.submit(JobSpec(prompt="a chair"), TARGET)
    setting.client.cancel(job, setting.now)
    assert job.state == "cancelled"


def test_after_a_reconnect_events_are_asked_for_from_the_last_seen(setting: Setting) -> None:
    job = setting.accepted()
    setting.backend.event(wire.Running, job)
    setting.step()
    setting.backend.say(wire.Pong(t=0.0, epoch="e2"))
    setting.step()
    setting.welcome("e2")
    sub = setting.backend.received[-1]
    assert isinstance(sub, wire.Sub)
    assert (sub.job, sub.after) == (job.id, job.seq)


def test_a_job_the_backend_has_lost_goes_again_under_the_same_id(setting: Setting) -> None:
    job = setting.accepted()
    setting.backend.say(wire.Error(error=problem("no_job", job=job.id)))
    setting.step()
    assert setting.backend.kinds().count("Submit") == 2
    assert job.state == "waiting"
    for _ in range(5):
        setting.backend.say(wire.Error(error=problem("no_job", job=job.id)))
        setting.step()
    assert job.state == "failed"
    assert job.problem.code == "gave_up"


def test_an_unanswered_submit_goes_again(setting: Setting) -> None:
    setting.client.submit(JobSpec(prompt="a chair"), TARGET)
    for _ in range(12):
        setting.step()
    assert setting.backend.kinds().count("Submit") == 2


def test_an_unfinished_job_of_an_earlier_blender_waits_to_be_adopted(setting: Setting) -> None:
    job = setting.accepted()
    setting.client = setting.new_client("second")
    setting.welcome()
    left = setting.client.jobs[job.id]
    assert setting.client.open_jobs() == []
    setting.client.adopt(left)
    setting.step()
    assert setting.backend.received[-1] == wire.Sub(job=job.id, after=0)
