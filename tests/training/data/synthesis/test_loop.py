import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from tests.training.data.here import Here, unwatched
from training.data.assets.asset import Rejected, read_asset
from training.data.assets.steps import FILTER, asset_items
from training.data.filtering import FilterSettings
from training.data.steps import DataError, run
from training.data.synthesis import seats
from training.data.synthesis.augmentation import AugmentationSettings, augmented
from training.data.synthesis.interface import ShapeRequest
from training.data.synthesis.loop import STAGES, Seats, Synthesised, SynthesisSettings, synthesise
from training.data.synthesis.programs import Program

STAND_INS = "tests.training.data.synthesis.stand_ins"
OURS = Seats(pictures=f"{STAND_INS}:own", shapes=f"{STAND_INS}:own")
TRUE = Seats(pictures=f"{STAND_INS}:Truth", shapes=f"{STAND_INS}:Truth")


def made(data: Path, who: Seats, settings: SynthesisSettings, *prompts: str) -> Synthesised:
    path = data.with_suffix(".txt")
    path.write_text("\n".join(prompts), encoding="utf-8")
    return synthesise(path, settings, who, data, Here(), unwatched)


def outcomes(found: Synthesised, stage: str) -> list[str]:
    return [r.rejected.reason if r.rejected else "kept" for r in found.results[stage]]


@pytest.mark.usefixtures("graphics")
def test_good_models_give_assets_that_the_pipeline_takes(tmp_path: Path) -> None:
    found = made(tmp_path / "data", TRUE, SynthesisSettings(), "a 3d render of a cute robot, 8k")
    assert outcomes(found, "gates") == ["kept"]
    (result,) = found.assets
    asset = read_asset(tmp_path / "data" / asset_items([result])[0].inputs["asset"])
    assert asset.name == "cute robot"
    assert asset.category == "robot"
    assert asset.provenance["prompt"] == "a cute robot"
    assert (tmp_path / "data" / asset.provenance["picture"]).is_file()
    filtered = run(FILTER, FilterSettings(), asset_items([result]), tmp_path / "data", Here())
    assert filtered[0].rejected is None


@pytest.mark.usefixtures("graphics")
def test_our_own_model_in_both_seats_runs_whole_and_a_second_run_does_nothing(tmp_path: Path) -> None:
    settings = SynthesisSettings(each=2)
    found = made(tmp_path / "data", OURS, settings, "a red chair", "two dogs", "a blue vase")
    assert list(found.results) == list(STAGES)
    assert found.results["prompts"][0].facts["reasons"] == {"several_objects": 1}
    assert outcomes(found, "drawn_pictures") == ["kept"] * 4
    assert found.assets == []  # a random model draws shades of grey: nothing to cut out
    assert set(outcomes(found, "cutouts")) == {"no_foreground"}
    again = made(tmp_path / "data", OURS, settings, "a red chair", "two dogs", "a blue vase")
    assert all(result.cached for results in again.results.values() for result in results)


@pytest.mark.usefixtures("graphics")
def test_noise_of_our_own_model_does_not_pass_the_gates(tmp_path: Path) -> None:
    who = Seats(pictures=f"{STAND_INS}:Truth", shapes=f"{STAND_INS}:own")
    found = made(tmp_path / "data", who, SynthesisSettings(), "a cute robot")
    assert outcomes(found, "shapes") == ["kept"]
    assert outcomes(found, "gates") == ["low_consistency"]
    assert found.assets == []


def test_the_same_picture_is_asked_for_every_time_and_others_differ() -> None:
    settings = AugmentationSettings()
    first = augmented("a red chair", 0, settings)
    assert first == augmented("a red chair", 0, settings)
    assert first.seed != augmented("a red chair", 1, settings).seed
    assert first.words.startswith("a red chair, ")
    assert "plain white background" in first.words
    with pytest.raises(ValueError, match="no viewpoint"):
        AugmentationSettings(viewpoints={"from the moon": 1.0})


def model_folder(path: Path, tasks: Sequence[str], *modules: str) -> Path:
    path.mkdir()
    described = {name: {"kind": "x", "config": {}} for name in modules}
    config = {
        "format": 1,
        "preset": "tiny",
        "text_encoder": "x",
        "licence": "x",
        "provenance": "x",
        "sampling": {},
        "task_sampling": {},
    }
    (path / "config.json").write_text(json.dumps({**config, "tasks": tasks, "modules": described}))
    return path


def test_what_a_model_lacks_is_said_before_anything_is_done(tmp_path: Path) -> None:
    folder = model_folder(
        tmp_path / "m", ["text_to_shape", "image_to_shape"], "transformer", "image_tokenizer"
    )
    who = Seats(pictures=f"omni123:{folder}", shapes=f"omni123:{folder}")
    with pytest.raises(DataError, match="tiny cannot make the pictures") as refused:
        made(tmp_path / "data", who, SynthesisSettings(), "a chair")
    assert "the shapes" not in str(refused.value)
    assert not (tmp_path / "data").exists()
    bare = model_folder(tmp_path / "b", ["text_to_image", "image_to_shape"], "transformer")
    assert len(seats.lacking(f"omni123:{bare}", f"omni123:{bare}")) == 2
    assert "no model folder" in seats.lacking(f"omni123:{tmp_path / 'none'}", "a:b")[0]


def test_a_models_fingerprint_is_of_its_files_not_of_its_place(tmp_path: Path) -> None:
    one, other = (model_folder(tmp_path / name, ["image_to_shape"], "transformer") for name in "ab")
    assert seats.fingerprint(f"omni123:{one}") == seats.fingerprint(f"omni123:{other}")
    (other / "model.safetensors").write_bytes(b"1")
    assert seats.fingerprint(f"omni123:{one}") != seats.fingerprint(f"omni123:{other}")


def test_programs_draw_and_model_by_files(tmp_path: Path) -> None:
    draw = tmp_path / "draw.py"
    draw.write_text(
        "import sys\nfrom PIL import Image\n"
        "Image.new('RGB', (8, 8), sys.argv[1].split()[0]).save(sys.argv[2])\n"
    )
    request = augmented("red chair", 0, AugmentationSettings())
    picture = Program(command=f"{sys.executable} {draw} {{prompt}} {{out}}").picture(request)
    assert picture[0, 0].tolist() == [255, 0, 0, 255]
    model = tmp_path / "model.py"
    model.write_text("import sys, trimesh\ntrimesh.creation.box().export(sys.argv[2])\n")
    wanted = ShapeRequest(picture=picture, prompt="red chair", view=None, seed=1)
    raw = Program(command=f"{sys.executable} {model} {{picture}} {{out}}").shape(wanted)
    assert len(raw.objects[0].faces) == 12


def test_programs_that_fail_say_why(tmp_path: Path) -> None:
    request = augmented("a chair", 0, AugmentationSettings())
    broken = f"{sys.executable} -c \"raise SystemExit('no licence')\""
    with pytest.raises(Rejected, match="no licence"):
        Program(command=broken).picture(request)
    with pytest.raises(Rejected, match="no program"):
        Program(command="no-such-program {out}").picture(request)
    slow = Program(command=f'{sys.executable} -c "import time; time.sleep(9)"', seconds=0.2)
    with pytest.raises(Rejected, match="timeout"):
        slow.picture(replace(request, seed=2))


def test_pictures_are_files_that_open(tmp_path: Path) -> None:
    found = made(tmp_path / "data", OURS, SynthesisSettings(), "a red chair")
    product = found.results["drawn_pictures"][0].product
    assert product is not None
    with Image.open(tmp_path / "data" / product) as opened:
        assert opened.mode == "RGBA"
