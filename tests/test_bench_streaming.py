"""scripts/bench_streaming.py: the accounts on hand-made showings, the virtual clock, the material, and one tiny run."""

from __future__ import annotations

import functools
import json
import shutil
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from audio_samples import DATA, TEXTS, speech
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from scripts.bench.accounts import Ledger, Showing, Spread, show
from scripts.bench.align import edits, matched
from scripts.bench.clock import Cost, Job, simulate
from scripts.bench.compare import EngineResult
from scripts.bench.hour import run_hour
from scripts.bench.material import RefWord, join_calls, load_recordings, reference
from scripts.bench.memory import held_bytes
from scripts.bench.report import ratios
from scripts.bench.whisper_streaming import Peer, WhisperStreaming, WhisperStreamingVac
from scripts.bench_streaming import app
from V3.audio.pcm import FRAME_SAMPLES, RATE_HZ, Audio
from V3.errors import ConfigError

WORDS = st.lists(st.sampled_from("abc"), max_size=7)


def ref(text: str, *ends_s: float) -> list[RefWord]:
    """Words of half a second each, at these ends; a compound is one word."""
    return [
        RefWord(tuple(word.split("-")), end_s - 0.5, end_s) for word, end_s in zip(text.split(), ends_s, strict=True)
    ]


def line(at_s: float, stable: str, rest: str = "", *, number: int = 0, begin_s: float = 0.0) -> Showing:
    """What a line shows at ``at_s``, about all audio from ``begin_s`` until then."""
    return show(at_s, number, [(stable, True), (rest, False)], begin_s=begin_s, heard_s=at_s)


def closed(words: Sequence[RefWord], *showings: Showing) -> Ledger:
    ledger = Ledger(words)
    for showing in showings:
        ledger.take(showing)
    ledger.close()
    return ledger


# ---- alignment


@given(WORDS, WORDS)
def test_an_alignment_has_the_fewest_edits_and_matches_equal_words_in_order(said: list[str], heard: list[str]) -> None:
    pairs = matched(said, heard)
    assert all(said[i] == heard[j] for i, j in pairs)
    assert all(a < c and b < d for (a, b), (c, d) in pairwise(pairs))
    # between two pairs words are changed one for one, and what is over on one side is added or left out
    corners = [(-1, -1), *pairs, (len(said), len(heard))]
    cost = sum(max(c - a, d - b) - 1 for (a, b), (c, d) in pairwise(corners))
    assert cost == edits(said, heard)


@given(WORDS, WORDS)
def test_edits_are_a_distance(said: list[str], heard: list[str]) -> None:
    assert edits(said, heard) == edits(heard, said)
    assert (edits(said, heard) == 0) == (said == heard)
    assert abs(len(said) - len(heard)) <= edits(said, heard) <= max(len(said), len(heard))


# ---- latency


def test_latency_counts_from_the_true_end_of_a_word_to_its_first_right_showing_and_to_its_certainty() -> None:
    ledger = closed(
        ref("oui bonjour", 1.0, 2.0),
        line(1.25, "", "ouïe"),  # wrong
        line(1.5, "", "Oui,"),
        line(2.25, "oui", "bonsoir"),
        line(2.5, "oui", "bonjour"),
        line(3.0, "oui bonjour"),
    )
    assert ledger.shown() == {0: 0.5, 1: 0.5}
    assert ledger.certain() == {0: 1.25, 1: 1.0}


def test_a_word_that_never_comes_right_has_no_latency_and_is_an_error() -> None:
    ledger = closed(ref("oui bonjour", 1.0, 2.0), line(2.5, "oui bonsoir"))
    assert ledger.shown().keys() == ledger.certain().keys() == {0}
    assert (ledger.timed_words, ledger.tokens_said, ledger.word_errors()) == (2, 2, 1)


def test_what_was_shown_but_given_up_is_shown_and_not_certain() -> None:
    ledger = closed(ref("oui", 1.0), line(1.25, "", "oui"), line(1.5, "", "ouïe"), line(2.0, "ouïe"))
    assert ledger.shown() == {0: 0.25}
    assert ledger.certain() == {}


def test_only_words_that_have_begun_can_be_shown() -> None:
    ledger = closed(ref("non non", 1.0, 9.0), line(1.5, "", "non"), line(2.0, "non"))
    assert ledger.shown() == {0: 0.5}


def test_a_window_shows_the_words_of_its_own_audio() -> None:
    words = ref("le chat le chien", 1.0, 2.0, 3.0, 4.0)
    ledger = closed(words, line(3.25, "", "le", begin_s=2.4))
    assert ledger.shown() == {2: 0.25}


def test_a_compound_is_there_when_all_of_it_is() -> None:
    ledger = closed(ref("dix-sept", 1.0), line(1.5, "dix"), line(2.0, "dix", "sept"), line(3.0, "dix sept"))
    assert ledger.shown() == {0: 1.0}
    assert ledger.certain() == {0: 2.0}


def test_words_without_a_time_count_for_errors_only() -> None:
    words = [RefWord(("oui",), 0.0, 1.0, timed=False), *ref("bonjour", 2.0)]
    ledger = closed(words, line(2.5, "oui bonjour"))
    assert ledger.shown() == ledger.certain() == {1: 0.5}
    assert (ledger.timed_words, ledger.tokens_said, ledger.word_errors()) == (1, 2, 0)


def test_a_word_is_certain_from_when_it_was_first_stable_though_words_before_it_change() -> None:
    ledger = closed(
        ref("un deux trois", 1.0, 2.0, 3.0),
        show(3.5, 0, [("un", True), ("dos", False), ("trois", True)], begin_s=0.0, heard_s=3.5),
        line(4.0, "un deux trois"),
    )
    assert ledger.certain() == {0: 2.5, 1: 2.0, 2: 0.5}
    assert ledger.tokens_taken_back == 0


def test_a_stable_word_that_goes_is_told() -> None:
    ledger = closed(ref("un deux", 1.0, 2.0), line(2.5, "un deux"), line(3.0, "un"))
    assert ledger.tokens_taken_back == 1
    assert ledger.certain().keys() == {0}


def test_lines_make_the_transcript_in_order_of_their_audio() -> None:
    words = ref("un deux", 1.0, 3.0)
    ledger = closed(
        words,
        line(3.5, "", "deux", number=2, begin_s=2.4),
        line(3.6, "un", number=1),
        line(4.0, "deux", number=2, begin_s=2.4),
    )
    assert ledger.transcript == ["un", "deux"]
    assert ledger.word_errors() == 0


def test_spread_of_nothing_and_of_something() -> None:
    assert Spread.of([]) == Spread(0, None, None, ())
    spread = Spread.of([0.3, 0.1, 0.2])
    assert (spread.count, spread.median_ms, spread.values_ms) == (3, 200.0, (100.0, 200.0, 300.0))
    assert spread.p95_ms == pytest.approx(290.0)


# ---- flicker


def test_flicker_counts_words_that_were_gone_in_the_next_showing() -> None:
    ledger = closed(ref("oui", 1.0), line(1.0, "", "oui mais"), line(2.0, "", "oui non"), line(3.0, "oui non"))
    assert (ledger.tokens_shown, ledger.tokens_changed) == (3, 1)


def test_words_that_a_moving_window_left_behind_are_no_flicker() -> None:
    ledger = closed(
        ref("un", 1.0), line(2.0, "", "un deux trois"), line(3.0, "", "deux tres", begin_s=1.0), line(4.0, "un")
    )
    assert (ledger.tokens_shown, ledger.tokens_changed) == (5, 3)  # trois, then deux and tres; not un


def test_another_line_changes_nothing() -> None:
    ledger = closed(ref("un", 1.0), line(1.0, "un"), line(2.0, "deux", number=1))
    assert (ledger.tokens_shown, ledger.tokens_changed) == (2, 0)


# ---- virtual clock


class Counting:
    """Wants one job at a time, for all audio that came; shows how many frames each saw."""

    def __init__(self) -> None:
        self.frames = self.done = self.ended = 0
        self.seen: list[int] = []
        self._showings: list[str] = []

    def hear(self, frame: Audio) -> None:
        assert frame.size == FRAME_SAMPLES
        self.frames += 1

    def end(self) -> None:
        self.ended += 1

    def wanted(self, *, idle: bool) -> list[Job]:
        if not idle or self.frames == self.done:
            return []
        seen = self.done = self.frames
        return [Job(0, lambda: seen, self._deliver)]

    def take_shown(self, at_s: float) -> list[Showing]:
        taken, self._showings = self._showings, []
        return [line(at_s, text) for text in taken]

    def holds(self) -> tuple[list[object], list[object]]:
        return [self.seen], []

    def _deliver(self, seen: int) -> None:
        self.seen.append(seen)
        self._showings.append(f"n{seen}")


def test_every_result_is_shown_after_its_audio_and_in_order() -> None:
    engine, showings, seconds = Counting(), list[Showing](), list[int]()
    cost = simulate(
        np.zeros(RATE_HZ, dtype=np.float32),
        engine,
        on_showing=showings.append,
        on_second=lambda second, _cost: seconds.append(second),
    )
    assert (engine.frames, engine.ended, seconds) == (50, 1, [1])
    assert engine.seen[-1] == 50  # nothing is lost at the end
    assert [showing.tokens[0] for showing in showings] == [f"n{seen}" for seen in engine.seen]
    times_s = [showing.at_s for showing in showings]
    assert times_s == sorted(times_s)
    assert all(at_s > seen * 0.02 for at_s, seen in zip(times_s, engine.seen, strict=True))
    assert cost.audio_s == 1.0
    assert cost.most_held_bytes > 0


def test_a_job_that_matters_more_goes_first() -> None:
    order: list[str] = []

    class Two(Counting):
        def wanted(self, *, idle: bool) -> list[Job]:
            if self.frames != 1 or self.done:
                return []
            self.done = 1
            named = ((2, "partial"), (1, "final"))
            return [Job(rank, functools.partial(str, name), order.append) for rank, name in named]

    simulate(np.zeros(2 * FRAME_SAMPLES, dtype=np.float32), Two(), on_showing=lambda _showing: None)
    assert order == ["final", "partial"]


def test_costs_add_up() -> None:
    cost = Cost(60.0, 2.0, 1.0, 10, 100)
    cost.add(Cost(30.0, 1.0, 0.5, 5, 50))
    assert cost == Cost(90.0, 3.0, 1.5, 5, 100)


def test_held_bytes_are_counted_once_and_shared_ones_not_at_all() -> None:
    samples = np.zeros(1000, dtype=np.float32)
    assert held_bytes([[samples, samples]]) < 5000
    assert held_bytes([[samples[:10]]]) > 4000  # a view holds all of it
    assert held_bytes([[samples]], [samples]) < 200


# ---- material


def entry(word: str, start_s: float, end_s: float) -> dict[str, Any]:
    return {"word": word, "start_s": start_s, "end_s": end_s}


def test_reference_words_have_the_times_of_their_entries() -> None:
    words = reference("L'été, dix-sept ?", [entry("L'été,", 0.0, 0.5), entry("dix-sept ?", 0.5, 1.0)], 1.0)
    assert words == (RefWord(("l", "ete"), 0.0, 0.5), RefWord(("dix", "sept"), 0.5, 1.0))


def test_a_clause_repeated_in_one_entry_leaves_a_word_without_a_time() -> None:
    entries = [
        entry("veuillez", 0.0, 0.4),
        entry("", 0.4, 1.0),
        entry("veuillez patienter.", 1.0, 1.0),
        entry("merci", 1.2, 1.5),
    ]
    words = reference("Veuillez patienter. Merci", entries, 1.5)
    assert words == (
        RefWord(("veuillez",), 0.0, 0.4),
        RefWord(("patienter",), 0.4, 1.2, timed=False),
        RefWord(("merci",), 1.2, 1.5),
    )


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two recordings with an index; the words share the time evenly."""
    directory = tmp_path_factory.mktemp("data")
    rows = []
    for name in ("oui_bonjour", "allo_qui"):
        shutil.copy(DATA / f"{name}.wav", directory)
        words, duration_s = TEXTS[name].replace(" ?", "?").split(), speech(name).size / RATE_HZ
        edges_s = np.linspace(0.0, duration_s, len(words) + 1).tolist()
        spoken = [entry(*one) for one in zip(words, *zip(*pairwise(edges_s), strict=True), strict=True)]
        rows.append(json.dumps({"file": f"{name}.wav", "text": TEXTS[name], "words": spoken}))
    (directory / "index.jsonl").write_text("\n".join(rows), encoding="utf-8")
    return directory


def test_calls_hold_their_recordings_where_they_say(data: Path) -> None:
    calls = join_calls(load_recordings(data), total_s=30.0, call_s=10.0, seed=3)
    again = join_calls(load_recordings(data), total_s=30.0, call_s=10.0, seed=3)
    assert len(calls) >= 2
    for call, same in zip(calls, again, strict=True):
        assert call.audio.size % FRAME_SAMPLES == 0
        assert np.array_equal(call.audio, same.audio)
        loud = [np.abs(call.audio[round(a * RATE_HZ) : round(b * RATE_HZ)]).max() for a, b in call.utterances]
        assert min(loud) > 0.1
        ends_s = [0.0, *(end_s for _, end_s in call.utterances)]
        pauses_s = [start_s - end_s for (start_s, _), end_s in zip(call.utterances, ends_s, strict=False)]
        assert all(0.5 <= pause_s <= 3.0 for pause_s in pauses_s)
        assert all(any(a <= word.start_s <= word.end_s <= b + 0.01 for a, b in call.utterances) for word in call.words)


def test_an_index_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"index\.jsonl"):
        load_recordings(tmp_path)
    (tmp_path / "index.jsonl").write_text('{"file": "a.wav"}', encoding="utf-8")
    with pytest.raises(ConfigError, match="words"):
        load_recordings(tmp_path)


# ---- whisper_streaming: a module of our own that has its names

FAKE = '''
class FasterWhisperASR:
    sep = ""
    def __init__(self, lan):
        self.model = self.load_model()

class OnlineASRProcessor:
    """Hears one word per second of audio; it is certain a second later."""
    SAMPLING_RATE = 16000
    def __init__(self, asr, buffer_trimming, logfile):
        self.asr, self.logfile = asr, logfile
        self.init()
    def init(self, offset=0.0):
        self.buffer_time_offset, self.samples, self.commited, self.transcript_buffer = offset, 0, [], self
        self.rest = []
    def complete(self):
        return self.rest
    def insert_audio_chunk(self, audio):
        self.samples += len(audio)
    def process_iter(self):
        self.commited, self.rest = self.commited + self.rest, [(0.0, 1.0, f" n{self.samples // 16000}")]
    def finish(self):
        pass

class VACOnlineASRProcessor(OnlineASRProcessor):
    def init(self):
        self.online.init()
        self.status, self.is_currently_final = None, False
    def insert_audio_chunk(self, audio):
        found = self.vac(audio) or {}
        if "start" in found:
            self.status = "voice"
            self.online.init(found["start"] / 16000)
        if "end" in found:
            self.status, self.is_currently_final = "nonvoice", True
        if self.status == "voice":
            self.online.insert_audio_chunk(audio)
    def process_iter(self):
        if not self.is_currently_final and self.status == "voice":
            self.online.process_iter()
        self.is_currently_final = False
'''


@pytest.fixture
def peer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Peer:
    (tmp_path / "whisper_online.py").write_text(FAKE, encoding="utf-8")
    monkeypatch.setitem(sys.modules, "whisper_online", None)  # so that it is not there afterwards either
    del sys.modules["whisper_online"]
    return Peer(tmp_path, "the model", chunk_s=1.0)


def test_whisper_streaming_gets_a_chunk_at_a_time_and_all_of_the_rest(peer: Peer) -> None:
    showings: list[Showing] = []
    simulate(np.zeros(int(2.5 * RATE_HZ), dtype=np.float32), WhisperStreaming(peer), on_showing=showings.append)
    assert peer.backend.model == "the model"
    assert [(s.tokens, sum(s.stable)) for s in showings] == [
        (("n1",), 0),
        (("n1", "n2"), 1),
        (("n1", "n2", "n2"), 2),
        (("n1", "n2", "n2"), 3),
    ]
    assert [s.heard_s for s in showings] == [pytest.approx(s, abs=0.1) for s in (1.0, 2.0, 2.5, 2.5)]


def test_whisper_streaming_vac_has_a_line_for_each_utterance(peer: Peer) -> None:
    quiet, said = np.zeros(RATE_HZ, dtype=np.float32), speech("oui_bonjour")
    audio = np.concatenate([quiet, said, quiet, said, quiet])
    showings: list[Showing] = []
    whole = audio[: audio.size // FRAME_SAMPLES * FRAME_SAMPLES]
    simulate(whole, WhisperStreamingVac(peer), on_showing=showings.append)
    assert [s.line for s in showings if s.tokens and all(s.stable)] == [1, 2]
    begins_s = {s.line: s.begin_s for s in showings}
    assert begins_s == {1: pytest.approx(1.0, abs=0.3), 2: pytest.approx(2.0 + said.size / RATE_HZ, abs=0.3)}


def test_a_folder_without_whisper_streaming_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"whisper_online\.py"):
        Peer(tmp_path, None, chunk_s=1.0)


# ---- the whole of it


def test_ratios_say_who_is_cheaper_and_sooner() -> None:
    def result(name: str, cost: float, at_s: float) -> EngineResult:
        spread = Spread.of([at_s])
        return EngineResult(name, "", 60.0, 1.0, cost, 1.0, 1, spread, 1.0, spread, 1.0, 0.0, 0.0, 1, 0, 0, 0)

    sentences = ratios([result("ours", 0.02, 0.1), result("other", 0.5, 0.3)])
    assert sentences == [
        "ours costs 1/25.0 of other; words shown 200 ms sooner (median), words certain 200 ms sooner (median)"
    ]


def test_a_tiny_comparison_writes_json_and_figures(data: Path, tmp_path: Path) -> None:
    arguments = ["--data", str(data), "--minutes", "0.05", "--json", str(tmp_path / "b.json"), "--plots", str(tmp_path)]
    run = CliRunner().invoke(app, arguments)
    assert run.exit_code == 0, run.output
    written = json.loads((tmp_path / "b.json").read_text(encoding="utf-8"))
    assert written["machine"]["model"] == "telephone-fr"
    assert written["complete"] is True
    names = [engine["name"] for engine in written["engines"]]
    assert names == ["ours, LocalAgreement", "ours, AlignAtt", "ours, greedy", "re-transcription 800/200"]
    for engine in written["engines"]:
        assert engine["word_error_rate"] == 0.0, engine["name"]
        assert engine["certain_share"] == 1.0
        assert engine["cpu_s"] > 0.0
        assert engine["held_bytes"] > 10_000
        assert engine["stable_words_taken_back"] == 0
        assert len(engine["shown"]["values_ms"]) == engine["shown"]["count"] == engine["words"] > 0
    assert (tmp_path / "latency.png").stat().st_size > 10_000
    assert (tmp_path / "cost.png").stat().st_size > 5_000


def test_a_short_hour_reports_its_minutes(data: Path, tmp_path: Path) -> None:
    arguments = ["--hour", "--data", str(data), "--minutes", "1.05", "--json", str(tmp_path / "h.json")]
    run = CliRunner().invoke(app, [*arguments, "--plots", str(tmp_path)])
    assert run.exit_code == 0, run.output
    hour = json.loads((tmp_path / "h.json").read_text(encoding="utf-8"))["hour"]
    assert [minute["minute"] for minute in hour["minutes"]] == [1]
    assert hour["minutes"][0]["certain"]["count"] > 10
    assert hour["first"] == hour["last"]
    assert (tmp_path / "hour.png").stat().st_size > 10_000


def test_an_hour_that_is_interrupted_reports_the_minutes_it_had(data: Path) -> None:
    class Impatient(Counting):
        def hear(self, frame: Audio) -> None:
            super().hear(frame)
            if self.frames > 50 * 61:
                raise KeyboardInterrupt

    call = join_calls(load_recordings(data), total_s=70.0, call_s=70.0, seed=1)[0]
    result = run_hour(call, Impatient(), on_second=lambda: None)
    assert [minute.minute for minute in result.minutes] == [1]
    assert result.audio_s == 60.0


def test_what_cannot_be_measured_is_said(tmp_path: Path) -> None:
    run = CliRunner().invoke(app, ["--data", str(tmp_path)])
    assert run.exit_code == 1
    assert "ConfigError" in run.output
