"""Sources in, pictures out, several jobs at once: through a real gateway and worker."""

from __future__ import annotations

import numpy as np
import pytest

from backend.server.client import Client
from protocol.arrays import encode_mesh
from protocol.images import check_image, decode_pixels
from protocol.jobs import JobSpec
from protocol.messages import (
    Done,
    Failed,
    Partial,
    Preview,
    Progress,
    Retrying,
)
from tests.integration.serving import Backend, follow, kinds, wait_for

pytestmark = pytest.mark.timeout(60)


def test_a_source_mesh_goes_with_its_job(client: Client) -> None:
    source = encode_mesh(np.random.default_rng(0).random((9_000, 3)), [[0, 1, 2]])  # of several chunks
    spec = JobSpec(task="edit_shape", prompt="rounder", inputs=("mesh",))
    job = client.submit(spec, files=[source]).job
    assert client.submit(spec, job, files=[source]).dup
    done = follow(client, job)[-1].message
    assert isinstance(done, Done)
    assert client.fetch(done.mesh) == source


def test_a_source_that_is_no_mesh_fails_its_job_with_a_sentence(client: Client) -> None:
    spec = JobSpec(task="edit_shape", prompt="rounder", inputs=("mesh",))
    failed = follow(client, client.submit(spec, files=[b"no mesh"]).job)[-1].message
    assert isinstance(failed, Failed)
    assert failed.error.code == "bad_mesh"


def test_a_picture_sharpens_arrives_before_the_mesh_and_lasts(backend: Backend, client: Client) -> None:
    packets = follow(client, client.submit(JobSpec(task="text_to_image_shape", prompt="a ball")).job)
    sharpening = [p for p in packets if isinstance(p.message, Preview) and p.message.of == "image"]
    assert decode_pixels(sharpening[-1].frames[0]).shape == (120, 120, 4)
    with backend.client() as late:
        kept = follow(late, packets[-1].message.job)
    part, done = (next(p.message for p in kept if isinstance(p.message, kind)) for kind in (Partial, Done))
    assert [picture.image for picture in done.pictures] == [part.image]
    assert check_image(client.fetch(part.image)) == "png"
    assert done.mesh
    client.ack(done.job)


def test_several_jobs_run_at_once_and_end_apart(client: Client) -> None:
    slow = [client.submit(JobSpec(prompt="slow")).job for _ in range(2)]
    for job in slow:
        wait_for(client, job, Progress)
    for prompt, kind in [("a ball", Done), ("refuse", Failed)]:
        assert isinstance(follow(client, client.submit(JobSpec(prompt=prompt)).job)[-1].message, kind)
    client.cancel(slow[0])
    assert kinds(follow(client, slow[0]))[-1] == "Cancelled"
    assert wait_for(client, slow[1], Progress)
    client.cancel(slow[1])


def test_a_step_that_fails_is_the_failure_of_the_job_that_runs_alone(client: Client) -> None:
    slow, trips = (client.submit(JobSpec(prompt=prompt)).job for prompt in ("slow", "trip"))
    wait_for(client, slow, Retrying)
    client.cancel(slow)
    failed = follow(client, trips)[-1].message
    assert isinstance(failed, Failed)
    assert failed.error.code == "gpu_oom"
