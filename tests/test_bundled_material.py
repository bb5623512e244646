"""The sounds of the checkout as material for measurements: what is heard where nobody gave recordings."""

from __future__ import annotations

import json
from pathlib import Path

from scripts.answers.bundled import write_calls
from scripts.answers.recordings import read_calls
from scripts.barge.sounds import BUNDLED
from scripts.bench.material import load_recordings, read_index
from scripts.eval_turns import TAIL_MS, read_turns
from V3.audio.pcm import RATE_HZ, SAMPLES_PER_MS
from V3.calls.answer import AnswerLabel


def test_dialogue_sounds_are_recordings_with_timed_words() -> None:
    recordings = load_recordings(BUNDLED)
    assert len(recordings) > 100
    words = [word for recording in recordings for word in recording.words]
    assert sum(word.timed for word in words) > 0.8 * len(words)
    for recording in recordings:
        assert recording.words
        assert recording.words[-1].end_s <= recording.audio.size / RATE_HZ + 0.1


def test_rows_in_which_nothing_is_said_are_left_out(tmp_path: Path) -> None:
    rows = [
        {"file": "cough.wav", "text": "", "words": []},
        {"file": "a.wav", "text": "Oui.", "words": [["Oui.", 10, 250]]},
    ]
    (tmp_path / "index.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    (row,) = read_index(tmp_path)
    assert row["words"] == [{"word": "Oui.", "start_s": 0.01, "end_s": 0.25}]


def test_turns_are_read_with_where_their_words_end() -> None:
    turns = read_turns(BUNDLED)
    assert {turn.kind for turn in turns} >= {"interruption", "stop_word", "greeting"}
    for turn in turns:
        assert 0 < turn.end_ms <= turn.audio.size / SAMPLES_PER_MS - TAIL_MS + 100


def test_bundled_answers_are_labelled_calls(tmp_path: Path) -> None:
    write_calls(tmp_path)
    calls = read_calls(tmp_path)
    assert {call.label for call in calls} == set(AnswerLabel)
    assert {call.audio.size for call in calls} == {6500 * SAMPLES_PER_MS}
    loud = [call for call in calls if abs(call.audio).max() > 0.05]
    assert [call.name for call in calls if call not in loud] == ["silence.wav"]
