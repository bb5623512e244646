"""The bundled sounds of dialogues are what their index says, and a user's own take their place."""

from __future__ import annotations

import json
import wave
from pathlib import Path

import numpy as np
import pytest

from scripts.barge.noises import NOISES, hum
from scripts.barge.sounds import BUNDLED, KINDS, load_bundled, load_own, replaced, sounding_ms
from training.synthesis import HELD_OUT_VARIANTS
from V3.calls.words import fold_words
from V3.errors import ConfigError
from V3.simulator.sound import load_sound


def test_every_sound_of_the_index_is_a_telephone_recording_that_begins_and_ends_inside() -> None:
    sounds = load_bundled()
    assert {sound.path.name for sound in sounds} == {path.name for path in BUNDLED.glob("*.wav")}
    for sound in sounds:
        with wave.open(str(sound.path)) as file:
            assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 8000)
        assert 0 <= sound.onset_ms < sound.end_ms <= load_sound(sound.path).duration_ms + 1


def test_they_are_small_enough_to_keep() -> None:
    assert sum(path.stat().st_size for path in BUNDLED.iterdir()) < 2_500_000


def test_there_is_enough_of_every_kind() -> None:
    sounds = load_bundled()
    texts = {kind: {sound.text for sound in sounds if sound.kind == kind} for kind in (*KINDS, "greeting")}
    assert len(texts["interruption"]) >= 24
    assert all(2 <= len(text.split()) <= 8 for text in texts["interruption"])
    assert all(len(text.split()) <= 2 for text in texts["stop_word"])
    assert {"Oui.", "D'accord.", "mmh", "Voilà.", "Bien sûr."} <= texts["backchannel"]
    assert len(texts["noise"]) >= 4
    for sound in sounds:
        if sound.kind == "side_talk":
            assert 2000 <= load_sound(sound.path).duration_ms <= 4000


def test_the_model_was_never_trained_on_these_voices() -> None:
    spoken = {sound.speaker for sound in load_bundled() if "+" in sound.voice}
    assert spoken == set(HELD_OUT_VARIANTS)
    greeting = {sound.speaker for sound in load_bundled() if sound.kind == "greeting"}
    assert greeting == spoken


def test_a_stop_word_ends_where_its_last_word_does() -> None:
    rows = [json.loads(line) for line in (BUNDLED / "index.jsonl").read_text(encoding="utf-8").splitlines()]
    ends = {row["file"]: row["words"][-1][2] for row in rows if row["words"]}
    for sound in load_bundled():
        if sound.kind == "stop_word":
            assert sound.end_ms == ends[sound.path.name]
            assert fold_words(sound.text)


def test_where_a_sound_is_audible() -> None:
    click = np.zeros(8000, dtype=np.float32)
    click[800:1600] = 0.5
    click[4000:4400] = 0.5 * 10 ** (-25 / 20)
    click[6000:] = 0.5 * 10 ** (-40 / 20)
    assert sounding_ms(click, 8000) == (100, 550)
    assert sounding_ms(np.zeros(80, dtype=np.float32), 8000) == (0, 10)
    assert sounding_ms(np.zeros(0, dtype=np.float32), 8000) == (0, 0)


def test_noises_are_the_same_again_from_their_seed() -> None:
    for make, _, _ in NOISES.values():
        one, other = make(np.random.default_rng(3)), make(np.random.default_rng(3))
        assert np.array_equal(one, other)
        assert np.abs(one).max() == pytest.approx(1)
    assert len(hum(np.random.default_rng(3), 120, humps=2)) > len(hum(np.random.default_rng(3), 120))


def write_tone(path: Path, *, rate_hz: int, lead_s: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    tone = 8000 * np.sin(2 * np.pi * 440 * np.arange(rate_hz // 2) / rate_hz)
    samples = np.concatenate((np.zeros(round(lead_s * rate_hz)), tone))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(samples.astype("<i2").tobytes())


def test_own_recordings_of_any_rate_take_the_place_of_their_kind(tmp_path: Path) -> None:
    write_tone(tmp_path / "own" / "backchannel" / "oui chef.wav", rate_hz=44100, lead_s=0.2)
    own = load_own(tmp_path / "own", tmp_path / "work")
    (sound,) = own
    assert (sound.kind, sound.text) == ("backchannel", "oui chef")
    assert sound.onset_ms == pytest.approx(200, abs=5)
    assert sound.end_ms == pytest.approx(700, abs=5)
    assert load_sound(sound.path).duration_ms == pytest.approx(700, abs=1)
    bundled = load_bundled()
    mixed = replaced(bundled, own)
    assert [one for one in mixed if one.kind == "backchannel"] == own
    kept = [one for one in bundled if one.kind != "backchannel"]
    assert [one for one in mixed if one.kind != "backchannel"] == kept


@pytest.mark.parametrize("made", ["", "backchannel", "backchannel/x.wav"])
def test_an_own_folder_that_cannot_be_used_says_why(tmp_path: Path, made: str) -> None:
    path = tmp_path / "own" / made
    if path.suffix:
        path.parent.mkdir(parents=True)
        path.write_bytes(b"no audio")
    else:
        path.mkdir(parents=True)
    with pytest.raises(ConfigError, match="subfolders" if not made else "no recording|no audio"):
        load_own(tmp_path / "own", tmp_path / "work")


def test_a_missing_index_names_what_makes_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="make_dialogue_sounds"):
        load_bundled(tmp_path)
