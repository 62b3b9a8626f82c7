import json
import pickle
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from backend.checkpoint import CONFIG, ModelInfo, load, save, write
from backend.failures import WeightsError
from backend.model.quantized import QuantizedLinear, quantize_linears
from backend.module_state import fill
from backend.shards import INDEX, TYPES, StoredTensor, read_shards, read_tensors, stored_tensors, write_shards


@dataclass(frozen=True, kw_only=True)
class TinyConfig:
    width: int = 4
    eps: float = 1e-6
    levels: tuple[int, ...] = (0, 2)

    def __post_init__(self) -> None:
        if self.width < 1:
            raise ValueError(f"width must be positive, not {self.width}")


class Tiny(nn.Module):
    """Two linears, one of them under two names, and a counter."""

    def __init__(self, config: TinyConfig) -> None:
        super().__init__()
        self.config = config
        self.first = nn.Linear(config.width, config.width)
        self.again = self.first
        self.second = nn.Linear(config.width, config.width)
        self.register_buffer("steps", torch.tensor(7))


REGISTRIES = {"transformer": {"tiny": (TinyConfig, Tiny)}, "shape_tokenizer": {"tiny": (TinyConfig, Tiny)}}
INFO = ModelInfo(
    preset="mini", text_encoder="none", licence="CC0-1.0", provenance="a test", sampling={"guidance": 3.0}
)


def modules() -> dict[str, Tiny]:
    torch.manual_seed(0)
    return {
        name: Tiny(TinyConfig(width=width)) for name, width in (("transformer", 4), ("shape_tokenizer", 6))
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save(tmp_path / "mini", INFO, modules(), REGISTRIES, shard_bytes=200)
    return tmp_path / "mini"


def edit(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def shards(folder: Path) -> list[Path]:
    return sorted(folder.glob("model-*.safetensors"))


def test_a_model_comes_back_as_it_was_saved(folder: Path) -> None:
    model = load(folder, REGISTRIES)
    assert model.info == INFO
    for name, module in modules().items():
        back = model.modules[name]
        assert back.config == module.config
        assert not back.training
        for (key, value), (back_key, back_value) in zip(
            module.state_dict().items(), back.state_dict().items(), strict=True
        ):
            assert key == back_key
            assert torch.equal(value, back_value)
        assert back.first.weight is back.again.weight
        assert back.second.weight.requires_grad


def test_shards_stay_small_and_numbered(folder: Path) -> None:
    names = [path.name for path in shards(folder)]
    assert len(names) > 2
    assert names[0] == f"model-00001-of-{len(names):05d}.safetensors"
    assert sum(t.nbytes for t in load_file(shards(folder)[0]).values()) <= 200
    assert [p.name for p in folder.parent.iterdir()] == ["mini"]


def test_half_precision_is_stored_and_single_is_loaded(tmp_path: Path) -> None:
    save(tmp_path / "half", INFO, modules(), REGISTRIES, dtype="float16")
    assert load_file(shards(tmp_path / "half")[0])["transformer.first.weight"].dtype == torch.float16
    back = load(tmp_path / "half", REGISTRIES).modules["transformer"]
    torch.testing.assert_close(back.first.weight, modules()["transformer"].first.weight, rtol=1e-3, atol=1e-4)
    assert back.first.weight.dtype == torch.float32


def test_one_module_loads_alone(folder: Path) -> None:
    assert list(load(folder, REGISTRIES, only=["shape_tokenizer"]).modules) == ["shape_tokenizer"]
    with pytest.raises(WeightsError, match="no image_tokenizer"):
        load(folder, REGISTRIES, only=["image_tokenizer"])


def test_saving_again_replaces_the_model_and_keeps_its_card(folder: Path) -> None:
    (folder / "README.md").write_text("card")
    save(folder, INFO, {"transformer": modules()["transformer"]}, REGISTRIES)
    assert list(load(folder, REGISTRIES).modules) == ["transformer"]
    assert len(shards(folder)) == 1
    assert (folder / "README.md").read_text() == "card"


def test_a_folder_of_other_things_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(ValueError, match="something other"):
        save(tmp_path, INFO, modules(), REGISTRIES)


def test_a_failed_save_leaves_the_old_model(folder: Path) -> None:
    broken = modules()
    nn.init.constant_(broken["transformer"].second.weight, 1e6)
    with pytest.raises(ValueError, match=r"transformer\.second\.weight is not finite in float16"):
        save(folder, INFO, broken, REGISTRIES, dtype="float16")
    load(folder, REGISTRIES)
    assert [p.name for p in folder.parent.iterdir()] == ["mini"]


def test_missing_folder_config_and_shard_are_told_apart(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no model folder"):
        load(tmp_path / "nowhere", REGISTRIES)
    with pytest.raises(WeightsError, match=r"not a model folder: it has no config\.json"):
        load(tmp_path, REGISTRIES)
    shards(folder)[1].unlink()
    with pytest.raises(WeightsError, match=r"no file .*model-00002"):
        load(folder, REGISTRIES)


def test_a_changed_shard_is_damage(folder: Path) -> None:
    path = shards(folder)[0]
    path.write_bytes(path.read_bytes()[:-1] + b"\x01")
    with pytest.raises(WeightsError, match="checksum"):
        load(folder, REGISTRIES)


def test_a_renamed_pickle_is_never_opened(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(pickle.dumps({"weight": [1.0]}))
    with pytest.raises(WeightsError, match="not a safetensors file"):
        read_tensors(path)


def test_an_index_cannot_reach_out_of_its_folder(folder: Path) -> None:
    edit(folder / INDEX, weight_map={"transformer.first.weight": "../mini/model-00001-of-00002.safetensors"})
    with pytest.raises(WeightsError, match="may not"):
        load(folder, REGISTRIES)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 99}, "format 99"),
        ({"licence": 3}, "damaged"),
        ({"colour": "red"}, "unknown keys: colour"),
        ({"modules": {"transformer": {"kind": "giant", "config": {}}}}, "no transformer of kind 'giant'"),
        ({"modules": {"transformer": {"kind": "tiny", "config": {"width": 4}}}}, "lacks keys: eps, levels"),
        (
            {"modules": {"transformer": {"kind": "tiny", "config": {"width": 0, "eps": 1, "levels": []}}}},
            "width must be positive",
        ),
    ],
)
def test_a_wrong_config_is_told(folder: Path, changes: dict[str, Any], message: str) -> None:
    edit(folder / CONFIG, **changes)
    with pytest.raises(WeightsError, match=message):
        load(folder, REGISTRIES, only=["transformer"])


def test_weights_of_no_module_are_told(folder: Path) -> None:
    config = json.loads((folder / CONFIG).read_text())
    del config["modules"]["shape_tokenizer"]
    edit(folder / CONFIG, modules=config["modules"])
    with pytest.raises(WeightsError, match=r"no module.*shape_tokenizer\.first\.bias"):
        load(folder, REGISTRIES)


def test_unknown_missing_and_misshapen_keys_are_named() -> None:
    tensors = dict(modules()["transformer"].state_dict())
    tensors["extra"] = tensors.pop("second.bias")
    tensors["second.weight"] = torch.zeros(2, 2)
    with pytest.raises(WeightsError, match=r"lack second\.bias.*unknown extra.*shape for second\.weight"):
        fill(Tiny(TinyConfig()), tensors)


def test_tied_tensors_come_under_any_name_but_with_one_value() -> None:
    tensors = dict(modules()["transformer"].state_dict())
    alone = {name: tensor for name, tensor in tensors.items() if not name.startswith("first")}
    module = Tiny(TinyConfig())
    fill(module, alone)
    assert torch.equal(module.first.weight, tensors["again.weight"])
    with pytest.raises(WeightsError, match="two values"):
        fill(Tiny(TinyConfig()), {**tensors, "first.weight": torch.zeros(4, 4)})


def test_dead_keys_pass_by_name_only() -> None:
    tensors = {**modules()["transformer"].state_dict(), "old.bias": torch.zeros(1)}
    fill(Tiny(TinyConfig()), tensors, dead={"old.bias"})
    with pytest.raises(WeightsError, match="unknown old"):
        fill(Tiny(TinyConfig()), tensors)


def test_a_stray_file_beside_the_shards_is_not_read(folder: Path) -> None:
    save_file({"x": torch.zeros(1)}, folder / "other.safetensors")
    load(folder, REGISTRIES)


@pytest.mark.parametrize("stored", ["float32", "bfloat16"])
def test_stored_types_are_kept_and_mapped(tmp_path: Path, stored: Any) -> None:
    save(tmp_path / "m", INFO, modules(), REGISTRIES, dtype=stored)
    weight = load(tmp_path / "m", REGISTRIES).modules["transformer"].first.weight
    assert weight.dtype == getattr(torch, stored)
    path = shards(tmp_path / "m")[0]
    # Views of one map of the file, which a change does not reach.
    assert weight.untyped_storage().nbytes() >= weight.nbytes
    before = path.read_bytes()
    weight.data.zero_()
    assert path.read_bytes() == before


def test_a_wanted_type_is_loaded_straight(folder: Path) -> None:
    model = load(folder, REGISTRIES, dtypes={"transformer": torch.bfloat16})
    assert model.modules["transformer"].first.weight.dtype == torch.bfloat16
    assert model.modules["transformer"].steps == 7
    assert model.modules["shape_tokenizer"].first.weight.dtype == torch.float32


def test_int8_linears_come_back_as_they_were(tmp_path: Path) -> None:
    made = modules()
    quantize_linears(made["transformer"], ["second"])
    save(tmp_path / "m", INFO, made, REGISTRIES, dtype="bfloat16", shard_bytes=100)
    back = load(tmp_path / "m", REGISTRIES).modules["transformer"]
    assert isinstance(back.second, QuantizedLinear)
    for name, tensor in made["transformer"].second.state_dict().items():
        assert torch.equal(back.second.state_dict()[name], tensor), name
    assert back.first.weight.dtype == torch.bfloat16
    as_float = load(tmp_path / "m", REGISTRIES, dtypes={"transformer": torch.float32}).modules["transformer"]
    assert (as_float.second.weight.dtype, as_float.second.scale.dtype) == (torch.int8, torch.float32)


def test_shards_are_written_tensor_by_tensor(tmp_path: Path) -> None:
    stored = {f"t{index}": StoredTensor(torch.float32, (1000,)) for index in range(20)}
    alive: weakref.WeakSet[torch.Tensor] = weakref.WeakSet()
    most = 0

    def read(name: str) -> torch.Tensor:
        nonlocal most
        tensor = torch.full((1000,), float(name[1:]))
        alive.add(tensor)
        most = max(most, len(alive))
        return tensor

    write_shards(tmp_path, stored, read, shard_bytes=30_000)
    assert most <= 2  # the one written and the one asked for
    assert len(shards(tmp_path)) == 3
    assert {name: int(t[5]) for name, t in read_shards(tmp_path, ("",)).items()} == {
        f"t{index}": index for index in range(20)
    }


def test_shards_are_safetensors_of_every_type(tmp_path: Path) -> None:
    tensors = {
        code: torch.arange(count).to(dtype) for count, (code, dtype) in enumerate(TYPES.items(), start=1)
    }
    stored = {code: StoredTensor(tensor.dtype, tuple(tensor.shape)) for code, tensor in tensors.items()}
    write_shards(tmp_path, stored, tensors.__getitem__)
    back = load_file(shards(tmp_path)[0])
    assert all(torch.equal(back[code], tensor) for code, tensor in tensors.items())
    assert stored_tensors(tmp_path) == stored


def test_a_tensor_of_another_shape_than_promised_leaves_no_folder(tmp_path: Path) -> None:
    stored = {"transformer.a": StoredTensor(torch.float32, (3,))}
    with pytest.raises(ValueError, match=r"transformer\.a is torch\.float32 \(2,\)"):
        write(tmp_path / "m", INFO, {}, stored, lambda name: torch.zeros(2))
    assert list(tmp_path.iterdir()) == []


class Derived(Tiny):
    """Its second layer's first three rows are made from something else."""

    derived_rows = {"second.weight": 3}  # noqa: RUF012


def test_rows_that_are_made_anew_are_not_stored(tmp_path: Path) -> None:
    registries = {"transformer": {"derived": (TinyConfig, Derived)}}
    module = Derived(TinyConfig())
    save(tmp_path / "m", INFO, {"transformer": module}, registries)
    assert stored_tensors(tmp_path / "m")["transformer.second.weight"].shape == (1, 4)
    back = load(tmp_path / "m", registries).modules["transformer"]
    assert torch.equal(back.second.weight[3:], module.second.weight[3:])
    assert not back.second.weight[:3].any()


def test_a_folder_that_stores_them_all_the_same_is_read(folder: Path) -> None:
    kept = modules()["transformer"].second.weight
    derived = {**REGISTRIES, "transformer": {"tiny": (TinyConfig, Derived)}}
    assert torch.equal(load(folder, derived).modules["transformer"].second.weight, kept)
