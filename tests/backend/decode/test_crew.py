"""Helper threads: asleep between jobs, gone with their decoder, and never needed."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable

import pytest
import torch

from backend.decode.crew import thread_count
from backend.decode.rows import KernelRows
from backend.model.config import TextInput, TransformerConfig
from backend.model.transformer import DualStreamTransformer

CONFIG = TransformerConfig(
    n_dual=1,
    n_single=1,
    width=32,
    n_heads=2,
    n_shape_codes=16,
    shape_code_dim=4,
    n_shape_tokens=400,
    embed_codes="learned",
    text=(TextInput(width=8, tokens=5),),
)


def started(threads: int) -> KernelRows:
    torch.manual_seed(0)
    model = DualStreamTransformer(CONFIG).eval()
    decoder = KernelRows(model, threads=threads)
    decoder.reserve(1, 5, CONFIG.n_shape_tokens)
    with torch.inference_mode():
        decoder.join(0, model.prompt_keys_values(None, drop=True))
    return decoder


def wait_for(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert holds()


def test_idle_helpers_sleep() -> None:
    decoder = started(threads=3)
    decoder.step([0], [1], ["shape"])
    wait_for(lambda: not any(helper.working.locked() for helper in decoder._crew._helpers))
    before = time.process_time()
    time.sleep(0.2)
    assert time.process_time() - before < 0.1


def test_helpers_end_with_their_decoder() -> None:
    before = set(threading.enumerate())
    decoder = started(threads=3)
    helpers = set(threading.enumerate()) - before
    assert len(helpers) == 2
    del decoder
    gc.collect()
    wait_for(lambda: not any(helper.is_alive() for helper in helpers))


def test_steps_with_pauses_equal_steps_without() -> None:
    """Helpers fall asleep and wake between the steps of the first decoder only."""
    slow, fast = started(threads=2), started(threads=2)
    for index in range(20):
        (expected,) = fast.step([0], [index % 16], ["shape"])
        time.sleep(0.002 * (index % 3))
        (logits,) = slow.step([0], [index % 16], ["shape"])
        assert expected is not None
        assert logits is not None
        assert torch.equal(logits, expected), f"token {index}"


def test_many_more_threads_than_cores() -> None:
    crowd, alone = started(threads=8), started(threads=1)
    for index in range(50):
        (expected,) = alone.step([0], [index % 16], ["shape"])
        (logits,) = crowd.step([0], [index % 16], ["shape"])
        assert expected is not None
        assert logits is not None
        assert torch.equal(logits, expected), f"token {index}"


def test_one_thread_per_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("psutil.cpu_count", lambda logical: 3)
    monkeypatch.setattr("torch.get_num_threads", lambda: 8)
    assert thread_count() == 3
    monkeypatch.setattr("torch.get_num_threads", lambda: 2)
    assert thread_count() == 2
