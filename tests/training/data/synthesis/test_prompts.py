import pytest

from training.data.assets.asset import Rejected
from training.data.synthesis.prompts import CurationSettings, curate, is_style, plain


@pytest.mark.parametrize(
    ("text", "prompt"),
    [
        ("a cute robot, digital art, trending on artstation, 8k, octane render", "a cute robot"),
        ("a photo of a red vintage car on a beach, cinematic, 4k wallpaper", "a red vintage car"),
        ("concept art of a futuristic hoverbike, greg rutkowski, matte painting", "a futuristic hoverbike"),
        ("cinematic shot of a rusty old robot standing in a field of flowers", "a rusty old robot"),
        ("(((masterpiece))), a porcelain teapot with blue floral patterns:1.3, --ar 16:9",
         "a porcelain teapot with blue floral patterns"),
        ("cyberpunk helmet concept art, hard surface, zbrush, artstation", "a cyberpunk helmet"),
        ("highly detailed art nouveau clock", "an art nouveau clock"),
        ("cartoon mushroom house, 3 d render, cute, pastel colors", "a cartoon mushroom house"),
        ("The ornate armchair upholstered in green velvet, carved oak legs, by gustave dore",
         "an ornate armchair upholstered in green velvet, carved oak legs"),
        ("unicorn, <lora:Unicorns:0.9>, portrait, 35mm", "a unicorn"),
        ("a two headed dragon, fantasy art", "a two headed dragon"),
        ("a pair of red sneakers, product photography", "a pair of red sneakers"),
        ("glasses", "glasses"),
        ("a black and white cat", "a black and white cat"),
    ],
)  # fmt: skip
def test_style_and_settings_go_and_the_object_stays(text: str, prompt: str) -> None:
    assert curate(text).prompt == prompt


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a cat and a dog", "several_objects"),
        ("an astronaut riding a horse on mars", "several_objects"),
        ("two wolves fighting in the snow", "several_objects"),
        ("a group of people walking in the rain", "several_objects"),
        ("mushroom and frog, watercolor", "several_objects"),
        ("an old wooden chair next to a window", "several_objects"),
        ("landscape of mountains, sunset", "scene"),
        ("a street in tokyo at night, neon lights, 4k wallpaper", "scene"),
        ("portrait of a woman, cinematic lighting", "cropped"),
        ("logo of a coffee shop, vector", "no_object"),
        ("loneliness, digital painting", "no_object"),
        ("cinematic, 4k wallpaper, trending on artstation", "no_object"),
        ("1girl, dynamic angle", "no_object"),
        ("nude woman", "unsafe"),
        ("baby yoda", "named"),
        ("un gato con sombrero en la playa", "not_english"),
        ("красный стул", "not_english"),
        ("!!!", "no_object"),
    ],
)
def test_what_is_no_single_object_is_refused_with_a_reason(text: str, reason: str) -> None:
    with pytest.raises(Rejected) as refused:
        curate(text)
    assert refused.value.reason == reason
    assert refused.value.detail.endswith(".")


def test_what_was_dropped_is_kept_for_the_record() -> None:
    found = curate("a red car on a beach, cinematic, by ansel adams")
    assert found.dropped == ("cinematic", "by ansel adams", "on a beach")
    assert found.noun == "car"
    assert found.subject == "a red car"


def test_the_same_object_has_one_key_however_it_was_styled() -> None:
    assert curate("A red chair, 8k").key == curate("photo of the red chair, cinematic").key
    assert curate("a red chair").key != curate("a blue chair").key


def test_long_prompts_lose_their_last_details() -> None:
    text = "a lamp, brass base, green glass shade, chain of steel, leather cord, marble foot"
    assert curate(text, CurationSettings(details=2)).prompt == "a lamp, brass base, green glass shade"
    assert len(curate(text, CurationSettings(prompt_words=6)).prompt.split()) <= 6
    with pytest.raises(Rejected, match="too_complex"):
        curate("a " + "big " * 20 + "lamp")


def test_style_is_told_by_all_of_its_words() -> None:
    assert is_style("cinematic lighting")
    assert is_style("4k wallpaper")
    assert not is_style("brass lighting")


def test_weights_flags_and_links_are_no_words() -> None:
    assert plain("A (Chair:1.2) https://a.b/c, 3 d --ar 3:2") == "a (chair ) , 3d"


def test_settings_that_keep_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="positive"):
        CurationSettings(per_subject=0)
