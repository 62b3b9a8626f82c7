"""A real gateway and a real worker over TCP + CURVE; the pipeline is a sphere, so that no model is needed."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import zmq

from backend.server.access import write_authorized
from backend.server.client import Client, ServerError
from backend.server.connection import Connection
from backend.server.keys import new_key_pair
from protocol.arrays import decode_mesh, decode_tokens
from protocol.errors import ProtocolError
from protocol.framing import encode
from protocol.jobs import JobSpec, new_job_id
from protocol.messages import (
    Cancelled,
    Chunk,
    Done,
    Error,
    Failed,
    Fetch,
    Hello,
    Ping,
    Preview,
    Progress,
    Retrying,
    Running,
    Submit,
    Welcome,
)
from protocol.version import PREAMBLE
from tests.integration.serving import (
    DOUBLES,
    ROOT,
    Backend,
    answer,
    follow,
    kinds,
    raw_dealer,
    running,
    start,
    until,
    wait_for,
)

pytestmark = pytest.mark.timeout(60)


def test_a_prompt_becomes_a_mesh(client: Client) -> None:
    job = client.submit(JobSpec(prompt="a large sphere", seed=7)).job
    packets = follow(client, job)
    done = packets[-1].message
    assert isinstance(done, Done)
    assert (done.model, done.seed, done.seconds) == ("sphere", 7, {"shape tokens": 0.1})
    mesh = decode_mesh(client.fetch(done.mesh))  # several chunks; the client checks the hash
    assert len(mesh.vertices) == 201 * 401
    assert decode_tokens(client.fetch(done.tokens)).tolist() == [7] * 16
    numbers = [packet.message.seq for packet in packets]
    assert numbers == sorted(set(numbers))
    assert {"Queued", "Running", "Progress", "Preview"} <= set(kinds(packets))


def test_a_small_preview_rides_in_its_event_and_a_large_one_is_fetched(client: Client) -> None:
    small = wait_for(client, client.submit(JobSpec(prompt="slow")).job, Preview)
    assert len(decode_mesh(small.frames[0]).vertices) == 9 * 17
    client.cancel(small.message.job)
    large = wait_for(client, client.submit(JobSpec(prompt="slow large")).job, Preview)
    assert len(decode_mesh(client.fetch(large.message.mesh)).vertices) == 101 * 201
    client.cancel(large.message.job)


def test_cancel_half_way_stops_the_job_and_the_next_one_runs(client: Client) -> None:
    job = client.submit(JobSpec(prompt="slow")).job
    progress = wait_for(client, job, Progress)
    queued = client.submit(JobSpec(prompt="slow")).job
    client.cancel(queued)
    assert kinds(follow(client, queued))[-1] == "Cancelled"
    started = time.monotonic()
    client.cancel(job)
    assert kinds(follow(client, job, progress.message.seq))[-1] == "Cancelled"
    assert time.monotonic() - started < 2
    client.cancel(job)  # again: its terminal event comes again
    assert kinds(follow(client, client.submit(JobSpec(prompt="sphere")).job))[-1] == "Done"


def test_the_same_submit_twice_is_one_job(client: Client) -> None:
    job = client.submit(JobSpec(prompt="sphere")).job
    assert client.submit(JobSpec(prompt="sphere"), job).dup
    assert kinds(follow(client, job)).count("Done") == 1
    with pytest.raises(ServerError) as caught:
        client.submit(JobSpec(prompt="cube"), job)
    assert caught.value.problem.code == "id_conflict"


def test_a_new_connection_resumes_where_the_old_one_stopped(backend: Backend) -> None:
    with backend.ready_client() as first:
        job = first.submit(JobSpec(prompt="sphere", seed=31)).job
        seen = wait_for(first, job, Running).message.seq
    with backend.client() as second:
        packets = follow(second, job, seen)
        assert kinds(packets)[-1] == "Done"
        assert all(packet.message.seq > seen for packet in packets)
        assert job in {line.job for line in second.jobs().jobs}
        second.fetch(packets[-1].message.mesh)
        second.ack(job)
        assert job not in {line.job for line in second.jobs().jobs}
        with pytest.raises(ServerError) as caught:
            second.fetch(packets[-1].message.tokens)
        assert caught.value.problem.code == "no_blob"


@pytest.mark.parametrize(
    ("prompt", "code", "sentence"),
    [
        ("refuse", "bad_option", "A sphere has no corners."),
        ("break", "internal", "The backend failed at this request."),
    ],
)
def test_a_failing_job_says_why(client: Client, prompt: str, code: str, sentence: str) -> None:
    failed = follow(client, client.submit(JobSpec(prompt=prompt)).job)[-1].message
    assert isinstance(failed, Failed)
    assert (failed.error.code, failed.error.message) == (code, sentence)
    assert failed.error.log_id


def test_bad_jobs_are_refused_before_and_after_sending(backend: Backend, client: Client) -> None:
    with pytest.raises(ProtocolError, match="20001 bytes of 20000"):
        client.submit(JobSpec(prompt="x" * 20_001))
    with raw_dealer(backend) as dealer:
        dealer.send_multipart(encode(Hello(client="t", session="t")))
        assert isinstance(answer(dealer).message, Welcome)
        for spec, code in [
            (JobSpec(prompt=" \u202e "), "empty_prompt"),
            (JobSpec(prompt="x" * 20_001), "too_long"),
            (JobSpec(prompt="x", task="fly"), "unknown_task"),
        ]:
            job = new_job_id()
            dealer.send_multipart(encode(Submit(job=job, spec=spec)))
            error = answer(dealer).message
            assert isinstance(error, Error)
            assert (error.error.code, error.error.job) == (code, job)


def test_garbage_is_answered_and_the_server_keeps_serving(backend: Backend, client: Client) -> None:
    with raw_dealer(backend) as dealer:
        dealer.send_multipart(encode(Ping(t=1.0)))
        assert answer(dealer).message.error.code == "no_hello"
        for parts, code in [
            ([b""], "bad_frame"),
            ([b"O3\x07", b"{}"], "version"),
            ([PREAMBLE, b'{"type":'], "bad_header"),
            ([PREAMBLE, b"[" * 60_000], "bad_header"),
            ([PREAMBLE, b'{"type":"warp"}'], "unknown_type"),
            ([PREAMBLE, b"x" * 70_000], "too_big"),
            ([PREAMBLE, b"{}", *[b"x"] * 9], "too_big"),
        ]:
            dealer.send_multipart(parts)
            error = answer(dealer).message
            assert isinstance(error, Error)
            assert (error.error.code, error.speaks) == (code, (1,) if code == "version" else ())
    with raw_dealer(backend) as dealer:
        dealer.send_multipart(
            [PREAMBLE, bytes(3 << 20)]
        )  # above what the socket takes: the connection is cut
        assert not dealer.poll(200)
    assert client.ping() < 5


def test_raw_bytes_and_unencrypted_clients_get_nothing(backend: Backend, client: Client) -> None:
    url = Connection.read(backend.connection_file).url
    host, port = url.removeprefix("tcp://").split(":")
    with socket.create_connection((host, int(port)), 5) as connection:
        connection.sendall(os.urandom(100_000))
    with raw_dealer(backend, curve=False) as dealer:
        with contextlib.suppress(zmq.Again):  # refused already: there is nobody to send to
            dealer.send_multipart(encode(Hello(client="t", session="t")), zmq.DONTWAIT)
        assert not dealer.poll(400)
    assert client.ping() < 5


def test_an_unknown_key_is_refused_until_it_is_added_and_again_when_revoked(backend: Backend) -> None:
    keys, authorized = new_key_pair(), backend.folder / "state" / "authorized_keys.toml"
    with pytest.raises(ServerError) as caught:
        backend.client(keys)
    assert caught.value.problem.code == "key_unknown"
    write_authorized(authorized, {"anna": keys.public})
    with backend.client(keys) as anna:
        assert anna.welcome.user == "anna"
        write_authorized(authorized, {})
        with pytest.raises(ServerError) as caught:
            anna.ping()
        assert caught.value.problem.code == "key_unknown"


def test_a_connection_takes_the_place_of_its_sessions_old_one(backend: Backend) -> None:
    with raw_dealer(backend) as old, raw_dealer(backend) as new:
        for dealer in (old, new):
            dealer.send_multipart(encode(Hello(client="t", session="same")))
            assert isinstance(answer(dealer).message, Welcome)
        old.send_multipart(encode(Ping(t=1.0)))
        assert answer(old).message.error.code == "no_hello"


def test_another_server_key_is_noticed(backend: Backend) -> None:
    real = Connection.read(backend.connection_file)
    other = Connection(url=real.url, server_key=new_key_pair().public, pid=real.pid, epoch=real.epoch)
    with pytest.raises(ServerError) as caught:
        Client(other, new_key_pair())
    assert caught.value.problem.code == "wrong_server"


def test_anothers_job_and_files_are_out_of_reach(backend: Backend, client: Client) -> None:
    done = follow(client, client.submit(JobSpec(prompt="sphere", seed=99)).job)[-1].message
    keys = new_key_pair()
    write_authorized(backend.folder / "state" / "authorized_keys.toml", {"bob": keys.public})
    with backend.client(keys) as bob:
        with pytest.raises(ServerError, match="no longer has this file"):
            bob.fetch(done.mesh)
        with pytest.raises(ServerError, match="does not have this request"):
            follow(bob, done.job)
        assert bob.jobs().jobs == ()


def test_an_input_file_arrives_whole(client: Client) -> None:
    data = os.urandom(2_000_000)
    assert client.fetch(client.put(data)) == data
    assert client.put(data)  # it is there already


def test_a_client_that_does_not_read_costs_little_and_stops_nobody(backend: Backend, client: Client) -> None:
    mesh = follow(client, client.submit(JobSpec(prompt="large")).job)[-1].message.mesh
    process = psutil.Process(backend.process.pid)
    before = process.memory_info().rss
    with raw_dealer(backend, rcvhwm=1) as dealer:
        dealer.send_multipart(encode(Hello(client="t", session="t")))
        for _ in range(1_500):
            dealer.send_multipart(encode(Fetch(sha=mesh, off=0, n=262_144)))
        for _ in range(10):
            assert client.ping() < 5
        assert process.memory_info().rss - before < 60 << 20
        assert dealer.poll(5_000)
        dealer.recv_multipart()
        assert isinstance(answer(dealer).message, Chunk)


def test_the_gateway_process_holds_no_torch(backend: Backend, client: Client) -> None:
    assert client.welcome.model.capabilities["torch"] is False
    if sys.platform == "linux":
        maps = Path(f"/proc/{backend.process.pid}/maps").read_text()
        assert "libzmq" in maps
        assert "torch" not in maps
        assert "numpy" not in maps


def test_a_worker_killed_in_a_job_is_replaced_and_the_job_tried_again(tmp_path: Path) -> None:
    with running(tmp_path) as backend, backend.ready_client() as client:
        job = client.submit(JobSpec(prompt="slow")).job
        wait_for(client, job, Progress)
        backend.worker().kill()
        retrying = wait_for(client, job, Retrying).message
        assert (retrying.error.code, retrying.attempt) == ("worker_crash", 2)
        assert client.ping() < 5
        wait_for(client, job, Progress)
        client.cancel(job)
        assert isinstance(wait_for(client, job, Cancelled).message, Cancelled)
        poison = follow(client, client.submit(JobSpec(prompt="crash")).job)
        assert kinds(poison).count("Retrying") == 1
        assert poison[-1].message.error.code == "worker_crash"
        (tmp_path / "weights" / "crashed").unlink()
        done = follow(client, client.submit(JobSpec(prompt="crash once")).job)[-1].message
        assert isinstance(done, Done)
        assert done.attempt == 2


@pytest.mark.parametrize(
    ("weights", "code", "sentence"),
    [
        ("corrupt", "model_corrupt", "is cut short."),
        (None, "model_missing", "weights"),
        ("crash", "worker_crash", "loads"),
    ],
)
def test_a_model_that_does_not_load_leaves_a_server_that_says_so(
    tmp_path: Path, weights: str | None, code: str, sentence: str
) -> None:
    with running(tmp_path, weights) as backend, backend.client() as client:
        until(lambda: client.ping() and client.welcome.model.state == "unavailable")
        assert client.welcome.model.problem.code == code
        with pytest.raises(ServerError, match=sentence) as caught:
            client.submit(JobSpec(prompt="sphere"))
        assert caught.value.problem.code == code
        assert caught.value.problem.hint
        assert client.ping() < 5


def test_a_gateway_killed_and_started_again_gets_the_job_again(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        listen = f"127.0.0.1:{free.getsockname()[1]}"
    backend = start(tmp_path, "fine", "--listen", listen)
    with backend.ready_client() as client:
        job = client.submit(JobSpec(prompt="sphere slow")).job
        wait_for(client, job, Progress)
        orphan, epoch = backend.worker(), client.welcome.epoch
        backend.process.kill()
        backend.process.wait()
        with running(tmp_path, "fine", "--listen", listen):
            assert isinstance(wait_for(client, job, Progress).message, Progress)
            assert client.welcome.epoch != epoch
            until(lambda: not orphan.is_running())  # the old worker noticed
            client.cancel(job)


def test_a_gateway_ends_with_its_parent_and_takes_the_worker_along(tmp_path: Path) -> None:
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "state").write_text("fine")
    code = (
        "import os, subprocess, sys\n"
        "subprocess.Popen([sys.executable, '-m', 'backend.server.cli', 'serve',"
        " '--weights', sys.argv[1] + '/weights',"
        " '--state-dir', sys.argv[1] + '/state', '--pipeline', 'sphere_pipeline:load',"
        " '--exit-with-parent', str(os.getpid())]).wait()"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(DOUBLES)])}
    parent = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], env=environment, stdout=subprocess.DEVNULL
    )
    connection_file = tmp_path / "state" / "connection.json"
    until(connection_file.exists)
    gateway = psutil.Process(Connection.read(connection_file).pid)
    until(gateway.children)
    worker = gateway.children()[0]
    parent.kill()
    parent.wait()
    until(lambda: not gateway.is_running() and not worker.is_running())
    assert not connection_file.exists()


def test_sigterm_ends_gateway_and_worker_and_removes_the_connection(tmp_path: Path) -> None:
    with running(tmp_path) as backend:
        backend.ready_client().close()
        worker = backend.worker()
        backend.process.terminate()
        assert backend.process.wait(5) == 0
        assert not worker.is_running()
        assert not backend.connection_file.exists()


def test_pings_are_answered_while_a_job_runs(client: Client) -> None:
    job = client.submit(JobSpec(prompt="slow")).job
    wait_for(client, job, Progress)
    assert sorted(client.ping() for _ in range(20))[10] < 0.05
    client.cancel(job)
