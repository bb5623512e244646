"""What the pages compute, without their DOM: the modules are loaded by the browser that runs them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import pytest
from web.browser_rig import NO_PLAYWRIGHT
from web.scripted_server import ScriptedServer

pytest.importorskip("playwright", reason=NO_PLAYWRIGHT)

from playwright.sync_api import Browser

HOUR_MS = 3_600_000


@pytest.fixture(scope="module")
def computed(browser: Browser) -> Iterator[Any]:
    """``computed("subtitles", "m.clock(a)", 5)``: an expression over a module ``m`` and an argument ``a``."""
    server = ScriptedServer()
    server.start()
    page = browser.new_page()
    page.goto(server.url + "calls")

    def compute(module: str, expression: str, argument: Any = None) -> Any:
        script = f"async (a) => {{ const m = await import('/web/js/{module}.js'); return {expression}; }}"
        return page.evaluate(script, argument)

    yield compute
    page.close()
    server.close()


def line(start_ms: float, end_ms: float, text: str) -> dict[str, Any]:
    return {"start_ms": start_ms, "end_ms": end_ms, "text": text}


def test_times_are_written_as_players_read_them(computed: Any) -> None:
    moment_ms = 25 * HOUR_MS + 61_004.6
    assert computed("subtitles", "[m.clock(a), m.clock(a, ','), m.shortClock(a), m.shortClock(61950)]", moment_ms) == [
        "25:01:01.005",
        "25:01:01,005",
        "25:01:01.0",
        "1:01.9",
    ]


def test_srt_and_webvtt_of_awkward_text(computed: Any) -> None:
    lines = [line(0, 1000, "a  <b>\n\n2\n00:00 --> 00:01 & c"), line(1000, 1000, "   "), line(1500, 1600, "fin")]
    assert computed("subtitles", "m.toSrt(a)", lines) == (
        "1\n00:00:00,000 --> 00:00:01,000\na <b> 2 00:00 → 00:01 & c\n\n2\n00:00:01,500 --> 00:00:01,700\nfin\n"
    )
    assert computed("subtitles", "m.toVtt(a)", lines) == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\na &lt;b&gt; 2 00:00 --&gt; 00:01 &amp; c\n\n"
        "00:00:01.500 --> 00:00:01.700\nfin\n"
    )
    assert computed("subtitles", "m.toVtt([])") == "WEBVTT\n"


def test_long_lines_become_cues_of_two_rows_that_never_overlap(computed: Any) -> None:
    lines = [line(0, 20_000, "un mot après l'autre " * 20), line(19_000, 21_000, "la suite")]
    cues = computed("subtitles", "m.cues(a)", lines)
    assert all(len(cue["rows"]) <= 2 and max(map(len, cue["rows"])) <= 48 for cue in cues)
    assert " ".join(row for cue in cues[:-1] for row in cue["rows"]) == lines[0]["text"].strip()
    assert all(cue["start_ms"] < cue["end_ms"] for cue in cues)
    assert all(before["end_ms"] <= after["start_ms"] for before, after in itertools.pairwise(cues))


@pytest.mark.parametrize("rate_hz", [8000, 22050, 44100, 48000, 96000])
def test_resampler_keeps_tones_and_takes_away_what_would_fold(computed: Any, rate_hz: int) -> None:
    """One second in blocks of 128, as a browser gives them: 1 kHz stays as it is, 11 kHz may not come back as 5."""
    script = """(() => {
      const rms = (hz) => {
        const resampler = new m.Resampler(a);
        const out = [];
        for (let at = 0; at < a; at += 128) {
          const block = Float32Array.from({length: 128}, (_, i) => Math.sin((2 * Math.PI * hz * (at + i)) / a));
          out.push(...resampler.process(block));
        }
        const steady = out.slice(1000, -1000);
        return [out.length, Math.sqrt(steady.reduce((sum, x) => sum + x * x, 0) / steady.length)];
      };
      return [rms(1000), a >= 32000 ? rms(11000) : [0, 0]];
    })()"""
    (count, tone), (_, folded) = computed("resample", script, rate_hz)
    assert abs(count - 16000) < 300
    assert tone == pytest.approx(math.sqrt(0.5), rel=0.01)
    assert folded < 0.002


def test_chunks_and_samples(computed: Any) -> None:
    script = """(() => {
      const chunker = new m.Chunker(4);
      const chunks = [[1, 2, 3], [4, 5, 6, 7, 8, 9]].flatMap((block) => chunker.push(Float32Array.from(block)));
      return [...chunks, chunker.rest(), chunker.rest()].map((chunk) => [...chunk]);
    })()"""
    assert computed("pcm", script) == [[1, 2, 3, 4], [5, 6, 7, 8], [9], []]
    assert computed("pcm", "[...m.toInt16(a)]", [-2, -1, 0, 0.5, 1, 2]) == [-32768, -32768, 0, 16384, 32767, 32767]


def test_words_settle_when_two_partials_agree(computed: Any) -> None:
    script = """(() => {
      const state = new m.CaptionState(2);
      const shown = ({tentative}) => tentative && [tentative.settled, tentative.open];
      const seen = a.map((text) => { state.partial(text, 100); return shown(state); });
      state.final(" un  deux ", 100, 900);
      const kept = state.tentative;
      state.final("", 900, 950);
      state.partial("trois", 950);
      state.keepTentative(1200);
      state.final("quatre", 1300, 1400);
      return [seen, kept, state.lines.map((line) => [line.text, line.start_ms, line.end_ms]), state.dropped];
    })()"""
    assert computed("caption-state", script, ["un", "Un, deux", "un deux trois", "on deux", ""]) == [
        [[[], ["un"]], [["Un,"], ["deux"]], [["un", "deux"], ["trois"]], [[], ["on", "deux"]], None],
        None,
        [["trois", 950, 1200], ["quatre", 1300, 1400]],
        1,
    ]


def test_transcriptions_are_placed_on_the_pages_clock(computed: Any) -> None:
    script = """(() => {
      const t = new m.Timeline();
      t.connected(5000);
      for (let i = 1; i <= 40; i += 1) t.sent(100, 100 * i);
      return [
        t.place({start: 1.0, end: 2.0}, {live: true, now_ms: 4300}),
        t.place({duration: 2.0, processing_time: 0.2}, {live: false, now_ms: 4300}),
        t.place({duration: 0.5, partial: true}, {live: true, now_ms: 4300}),
        t.place({start: 9, end: 9.5, processing_time: 0.3}, {live: true, now_ms: 4300}),
      ];
    })()"""
    assert computed("timeline", script) == [
        {"start_ms": 6000, "end_ms": 7000, "latency_ms": 2300},  # told by the server
        {"start_ms": 7000, "end_ms": 9000, "latency_ms": 300},  # classic: after the last answer
        {"start_ms": 9000, "end_ms": 9000, "latency_ms": 300},  # live: up to what was sent
        {"start_ms": 14000, "end_ms": 14500, "latency_ms": 300},  # beyond what was sent: the server's own time
    ]


def test_backlog_keeps_what_no_final_covered_and_no_more(computed: Any) -> None:
    script = """(() => {
      const backlog = new m.Backlog(300);
      for (let i = 0; i < 5; i += 1) backlog.add({start_ms: 100 * i, end_ms: 100 * (i + 1)});
      const bounded = backlog.start_ms;
      backlog.heard(350);
      return [bounded, backlog.start_ms, backlog.chunks.length];
    })()"""
    assert computed("backlog", script) == [200, 300, 2]


def test_waits_grow_to_a_bound(computed: Any) -> None:
    waits = computed("backoff", "[0, 1, 2, 3, 9, 99].map((n) => [m.delay_ms(n, 0), m.delay_ms(n, 0.5)])")
    assert waits == [[400, 500], [800, 1000], [1600, 2000], [3200, 4000], [12000, 15000], [12000, 15000]]


@pytest.mark.parametrize(
    ("closed", "why"),
    [
        ({"code": 1008, "reason": "token", "opened": True}, "token"),
        ({"code": 1008, "reason": "Origin not allowed", "opened": True}, "origin"),
        ({"code": 1013, "reason": "no room", "opened": True}, "full"),
        ({"code": 1001, "reason": "idle for 60 s", "opened": True}, "idle"),
        ({"code": 1008, "reason": "no message for 120 s", "opened": True}, "idle"),
        ({"code": 1008, "reason": "the client does not read", "opened": True}, "said"),
        ({"code": 1012, "reason": "", "opened": True}, "restart"),
        ({"code": 1006, "opened": False, "server_answers": True}, "refused"),
        ({"code": 1006, "opened": False, "server_answers": False}, "lost"),
        ({"code": 1006, "opened": True, "server_answers": True}, "lost"),
    ],
)
def test_what_a_close_means(computed: Any, closed: dict[str, Any], why: str) -> None:
    assert computed("backoff", "m.meaning(a)", closed) == why


def test_series_and_plots(computed: Any) -> None:
    script = """(() => {
      const series = new m.Series(3);
      [9, 1, NaN, 4, 2].forEach((value) => series.add(value));
      const box = {size: 3, width: 20, height: 10, top: 2};
      return [series.values, series.last, series.worst, series.median, m.roundedUp(3.1, 1), m.roundedUp(0, 500),
        m.polyline([1, 2], box), m.polyline([], box)];
    })()"""
    assert computed("series", script) == [[1, 4, 2], 2, 4, 2, 5, 500, "10.0,5.0 20.0,0.0", ""]


def test_course_of_a_call(computed: Any) -> None:
    script = """(() => {
      const board = new m.CallBoard();
      const tell = (state, since_ms, now_ms) => board.apply({type: "call", call: {id: "a", state, since_ms}}, now_ms);
      tell("ringing", 200, 1200);
      tell("listening", 0, 4000);
      tell("speaking", 100, 6100);
      tell("speaking", 700, 6700);
      tell("listening", 0, 7000);
      tell("ended", 500, 9500);
      board.apply({type: "ended", id: "a"}, 12000); // forgotten by the server: nothing new
      const [entry] = board.ended;
      const course = m.course(entry, 99000);
      const durations_ms = course.map((piece) => piece.duration_ms);
      return [m.age_ms(entry, 99000), durations_ms, m.totals(course), board.calls.size, entry.call.state];
    })()"""
    totals = [("ringing", 3000), ("listening", 4000), ("speaking", 1000)]
    assert computed("call-board", script) == [
        8000,
        [3000, 2000, 1000, 2000],
        [{"state": state, "duration_ms": duration_ms} for state, duration_ms in totals],
        0,
        "ended",
    ]


def test_both_languages_have_every_sentence(computed: Any) -> None:
    script = """(() => {
      const names = (text) => [...text.matchAll(/\\{(\\w+)\\}/g)].map((match) => match[1]).sort().join();
      const {en, fr} = m.TEXTS;
      const keys = Object.keys(en);
      const different = keys.filter((key) => !(key in fr) || names(fr[key]) !== names(en[key]));
      return [keys.length, Object.keys(fr).length, different, m.preferred(["de-DE", "fr-CA", "en"]),
        m.preferred(["de"]), m.sentence("fr", "seconds", {value: 3})];
    })()"""
    english, french, different, *rest = computed("texts", script)
    assert english == french > 100
    assert different == []
    assert rest == ["fr", "en", "3\u00a0s"]
