"""Two ranks train one codebook: a joint assignment, joint usage, the same codes restarted alike."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from backend.shape_tokenizer.quantizer import SphericalVectorQuantizer
from backend.shape_tokenizer.transport import OptimalTransport

Ranks = list[dict[str, Tensor]]


@pytest.fixture(scope="module")
def ranks(tmp_path_factory: pytest.TempPathFactory) -> Ranks:
    """What each of two ranks came to."""
    folder, script = tmp_path_factory.mktemp("ranks"), Path(__file__).with_name("one_rank.py")
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    outs = [folder / f"{rank}.safetensors" for rank in range(2)]
    runs = [
        subprocess.Popen([sys.executable, script, str(rank), folder / "meeting", out], env=environment)
        for rank, out in enumerate(outs)
    ]
    try:
        assert [run.wait(timeout=60) for run in runs] == [0, 0]
    finally:
        for run in runs:
            run.kill()
    return [load_file(out) for out in outs]


def test_codes_are_assigned_over_the_latents_of_all_ranks(ranks: Ranks) -> None:
    torch.manual_seed(0)
    quantizer = SphericalVectorQuantizer(width=12, n_codes=32, code_dim=6)
    rows = quantizer.latents(torch.randn(150, 12))
    together = OptimalTransport().assign(rows, quantizer.codebook_table())
    assert torch.equal(torch.cat([rank["ids"] for rank in ranks]), together)
    alone = OptimalTransport().assign(rows[:100], quantizer.codebook_table())
    assert not torch.equal(ranks[0]["ids"], alone)


def test_a_code_that_another_rank_uses_is_not_dead(ranks: Ranks) -> None:
    assert torch.equal(ranks[0]["share"], ranks[1]["share"])
    assert int(ranks[0]["moved"]) == int(ranks[1]["moved"]) == 16


def test_restarted_codes_are_the_same_on_every_rank(ranks: Ranks) -> None:
    assert torch.equal(ranks[0]["codebook"], ranks[1]["codebook"])
