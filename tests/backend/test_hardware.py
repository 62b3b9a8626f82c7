"""Where a model runs and how its weights are held."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from backend import checkpoint
from backend.events import Request, Result
from backend.failures import WeightsError
from backend.hardware import TRANSFORMERS, hardware
from backend.jobs import run_alone
from backend.model.quantized import restore_linears
from backend.models import REGISTRIES
from backend.pipeline import Pipeline
from backend.server.cli import BUNDLED


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled model with its layers in half precision, as they are before they are held in int8."""
    folder = tmp_path_factory.mktemp("wide")
    model = checkpoint.load(BUNDLED, REGISTRIES)
    for name in TRANSFORMERS:
        restore_linears(model.modules[name])
    checkpoint.save(folder, model.info, model.modules, REGISTRIES, dtype="float16")
    return folder


@pytest.mark.parametrize(("compute", "stored"), [("bfloat16", torch.bfloat16), ("int8", torch.int8)])
def test_a_model_runs_with_smaller_weights(wide: Path, compute: str, stored: torch.dtype) -> None:
    pipeline = Pipeline.load(wide, "cpu", compute)
    for engine in pipeline.parts.engines:
        block = engine.model.get_submodule("transformer.dual_blocks.0.post_1.mlp.up_proj")
        assert block.weight.dtype == stored
    *_, result = run_alone(pipeline, Request(prompt="a round wooden table", cells=48))
    assert isinstance(result, Result)
    assert result.mesh is not None
    assert np.isfinite(result.mesh.vertices).all()


def test_a_gpu_computes_in_bfloat16_unless_told_otherwise() -> None:
    gpu = torch.device("cuda")
    chosen = type(hardware("cpu"))(device=gpu)
    assert chosen.dtypes == dict.fromkeys(TRANSFORMERS, torch.bfloat16)
    assert type(chosen)(device=gpu, compute="float32").dtypes["edit_transformer"] == torch.float32
    assert hardware("cpu").dtypes == {}


@pytest.mark.parametrize(
    ("device", "compute", "says"),
    [("tpu9", "auto", "no device 'tpu9'"), ("cpu", "int3", "choose auto, float32, bfloat16, int8")],
)
def test_what_cannot_be_is_one_sentence(device: str, compute: str, says: str) -> None:
    with pytest.raises(WeightsError, match=says):
        hardware(device, compute)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_missing_gpu_says_what_to_do() -> None:
    with pytest.raises(WeightsError, match="choose cpu"):
        hardware("cuda")
