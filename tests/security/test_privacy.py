"""What people said, and their numbers: not on disk and not in logs unless asked for, and not for ever."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from audio_samples import DATA, TEXTS, silence, speech
from picture_cases import full_report
from robot_rig import NUMBER, person, rigged, run, says
from test_cli_serve import ROOT, WAIT_S, serve
from websockets.sync.client import connect

from V3.audio.pcm import to_l16
from V3.calls.words import fold
from V3.config import RobotConfig
from V3.simulator import Trigger, When
from V3.system.call_book import CallBook
from V3.system.journal import Journal
from V3.system.retention import forget_old_calls
from V3.system.services.whisper_streaming_stt import WhisperStreamingSTT

MARK = "zyx-words-of-the-callee"
ANSWERS = says("oui_ca_m_interesse", when=When(Trigger.PROMPT_ENDED), after_ms=300)


def strings(value: Any) -> list[str]:
    """Every text in a JSON value."""
    if isinstance(value, dict):
        return [text for each in value.values() for text in strings(each)]
    if isinstance(value, list):
        return [text for each in value for text in strings(each)]
    return [value] if isinstance(value, str) else []


def test_no_field_of_a_report_on_disk_holds_words_unless_asked_for() -> None:
    whole = full_report(f"words: {MARK}")
    kept = whole.without_words()
    assert MARK in json.dumps(whole.model_dump())
    assert kept.verdict is not None
    assert kept.verdict.reason == "words"
    told = kept.model_dump()
    for asked_for in ("values", "prompts", "errors", "audio_flags", "number", "outcome", "scenario", "intents"):
        told.pop(asked_for)  # the scenario's own, the file's, ours
    assert [text for text in strings(told) if MARK in text] == []
    assert kept.moments == whole.moments
    assert kept.values == whole.values
    assert MARK in json.dumps(whole.model_dump())  # what is in memory is as it was


@pytest.mark.parametrize("asked_for", [False, True])
def test_words_of_a_call_are_on_disk_only_where_asked_for(
    stt: WhisperStreamingSTT, tmp_path: Path, asked_for: bool
) -> None:
    async def test() -> None:
        recording = {"transcripts": True} if asked_for else {}
        async with rigged(stt, tmp_path, person(ANSWERS), recording=recording) as rig:
            report = await rig.call()
        words = {word for said in report.transcript for word in fold(said.text).split() if len(word) >= 5}
        assert words
        files = {name: path.read_text(encoding="utf-8") for name, path in _files(tmp_path)}
        assert list(files) == [f"{report.call_id}.json"]
        found = words & set(re.findall(r"\w+", fold("".join(files.values()))))
        assert bool(found) is asked_for, found

    run(test)


def test_other_users_of_the_machine_read_no_reports_and_no_journal(tmp_path: Path) -> None:
    folder = tmp_path / "reports"
    asyncio.run(CallBook(folder, None).write(full_report()))
    assert folder.stat().st_mode & 0o077 == 0
    with Journal(tmp_path / "campaign" / "journal.jsonl"):
        assert (tmp_path / "campaign").stat().st_mode & 0o077 == 0


def test_words_are_in_no_log_and_numbers_are_masked(
    stt: WhisperStreamingSTT, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """At its most talkative, before anything is hidden: words are not logged at all."""
    with caplog.at_level(logging.DEBUG, logger="V3"):

        async def test() -> None:
            async with rigged(stt, tmp_path, person(ANSWERS)) as rig:
                report = await rig.call()
            assert len(report.transcript) == 2
            logged = fold(" ".join(r.getMessage() for r in caplog.records if r.name.startswith("V3")))
            for said in report.transcript:
                assert fold(said.text) not in logged
            assert NUMBER not in logged

        run(test)


def test_serve_shows_words_to_a_terminal_only() -> None:
    """Under systemd and Docker standard output is a file that is kept."""
    with serve("--calls-port", "0", "--no-clients") as (process, ports):
        with connect(f"ws://127.0.0.1:{ports['listening']}/call/a-b-c") as call:
            data = to_l16(speech("oui_bonjour")) + to_l16(silence(1.5))
            for start in range(0, len(data), 640):
                call.send(data[start : start + 640])
            while '"final"' not in str(call.recv(WAIT_S)).lower():
                pass
        process.terminate()
        told, _ = process.communicate(timeout=WAIT_S)
    assert not {w for w in fold(TEXTS["oui_bonjour"]).split() if len(w) > 3} & set(fold(told).split())


def test_transcribe_prints_words_and_writes_no_file(tmp_path: Path) -> None:
    """It is asked for words; they go to standard output and nowhere else."""
    ran = subprocess.run(
        [sys.executable, "-m", "V3", "--log-level", "debug", "transcribe", str(DATA / "au_travail.wav")],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=55,
        check=True,
    )
    assert fold(TEXTS["au_travail"]) in fold(ran.stdout)
    assert fold(TEXTS["au_travail"]) not in fold(ran.stderr)
    assert list(tmp_path.iterdir()) == []


def test_pages_and_pictures_of_a_call_go_with_its_report(tmp_path: Path) -> None:
    call_id = "0b1c2d3e-0000-4000-8000-000000000001"
    paths = [tmp_path / f"{call_id}{ending}" for ending in (".json", ".html", ".png", ".wav")]
    for path in paths:
        path.write_bytes(b"x")
        os.utime(path, (time.time() - 31 * 86_400,) * 2)
    forget_old_calls(RobotConfig().replacing(call={"reports_dir": str(tmp_path)}))
    assert not any(path.exists() for path in paths)
    assert RobotConfig().recording.retention_days == 30
    assert not RobotConfig().recording.enabled
    assert not RobotConfig().recording.transcripts


def _files(folder: Path) -> list[tuple[str, Path]]:
    return [(path.name, path) for path in folder.rglob("*") if path.is_file()]
