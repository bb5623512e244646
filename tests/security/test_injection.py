"""What comes from outside stays a value: in commands for FreeSWITCH, in settings, in file names, in pages."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any, cast

import pytest
from html_outline import Outline
from picture_cases import HOSTILE, full_report
from raw_clients import is_cut, raw
from robot_rig import answering, rigged, run, says
from scripted_recognizer import ScriptedRecognizer
from typer.testing import CliRunner

from V3.asr.model import Recognizer, RecognizerInfo
from V3.calls.scenario import parse_scenario
from V3.cli import app
from V3.config import RobotConfig, load_keywords, load_robot
from V3.errors import CommandError, VoicebotError
from V3.picture.figure import Picture
from V3.picture.index import index_page
from V3.picture.page import call_page
from V3.simulator import FreeSwitchSimulator, Trigger, When, load_callees
from V3.simulator.esl_server import Answer, Command, EslConnection
from V3.system.prompts import Prompts
from V3.system.scenario_files import load_scenario
from V3.system.services.whisper_streaming_stt import WhisperStreamingSTT
from V3.telephony.esl import EslSettings

ROOT = Path(__file__).resolve().parents[2]
WORDS = [
    "oui\n\napi status",
    "exit\r\n\r\napi hupall {}loopback/stranger",
    "${system(touch owned)}",
    "@@999",
    "a;;api reload",
    "'\"\\}{|^^:",
    "\u2028api hupall\u2029",
    "\x00\x1b[2J",
    "<script>alert(1)</script>",
]
VERBS = {"auth", "event", "exit", "api", "bgapi", "sendmsg"}
APIS = {
    "originate",
    "uuid_audio_stream",
    "uuid_break",
    "uuid_dump",
    "uuid_exists",
    "uuid_kill",
    "uuid_record",
    "status",
}


class Hostile(ScriptedRecognizer):
    """Hears a callee who says commands."""

    info = RecognizerInfo("scripted", "cpu", "int8", 80, "full", 1)

    def self_test(self) -> None:
        return None

    def decode_time_s(self, *, rows: int, workers: int) -> float:
        return 0.001 * rows * workers


@pytest.mark.parametrize("said", ["oui allô " + " ".join(WORDS), WORDS[1]], ids=["many", "a command"])
def test_the_words_of_a_callee_reach_no_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    taken: list[str] = []
    answer = EslConnection._answer

    async def noted(self: EslConnection, command: Command) -> Answer:
        taken.append("\n".join([command.line, *map(str, command.headers), command.body.decode("utf-8", "replace")]))
        return await answer(self, command)

    monkeypatch.setattr(EslConnection, "_answer", noted)
    speaks = answering(
        says("je_vous_ecoute"), says("oui_ca_m_interesse", when=When(Trigger.PROMPT_ENDED), after_ms=200)
    )

    async def test() -> None:
        with WhisperStreamingSTT(recognizer=cast("Recognizer", Hostile(said))) as stt:
            async with rigged(stt, tmp_path, speaks, recording={"transcripts": True}) as rig:
                report = await rig.call()
                assert any(said.rsplit(maxsplit=1)[-1] in heard.text for heard in report.transcript)
                assert report.hung_up_by == "robot"

    run(test)
    assert taken
    for command in taken:
        verb, *rest = command.partition("\n")[0].split(" ")
        assert verb in VERBS
        assert verb not in ("api", "bgapi") or rest[0] in APIS, command
        assert not any(part in command for part in said.split() if len(part) > 4)
    assert not (tmp_path / "owned").exists()
    assert sum("originate" in command for command in taken) == 1


@pytest.mark.parametrize(
    "cell",
    [
        "0199001201;api status",
        "0199001201 {a=b}",
        '"0199001201\n\napi x"',
        "${0199001201}",
        "@@1",
        "0199001201\u20281",
        "=1+1",
    ],
)
def test_a_list_of_numbers_holds_numbers_or_nothing_is_dialled(tmp_path: Path, cell: str) -> None:
    (tmp_path / "list.csv").write_text(f"0199001202,a\n{cell},b\n", encoding="utf-8")
    (tmp_path / "robot.yaml").write_text(f"call: {{reports_dir: {tmp_path / 'reports'}}}\n")
    options = ["--config", str(tmp_path / "robot.yaml"), "--list", str(tmp_path / "list.csv")]
    ran = CliRunner().invoke(app, ["call", *options])
    assert ran.exit_code == 1
    assert "is no telephone number" in " ".join(ran.output.split())
    assert not (tmp_path / "reports").exists()


def test_a_password_cannot_be_two_commands_and_is_not_shown() -> None:
    with pytest.raises(CommandError) as caught:
        EslSettings(password="secret-of-esl\n\napi shutdown")
    assert "secret-of-esl" not in str(caught.value)


# ---- file names


@pytest.mark.parametrize(
    "name",
    ["../x.wav", "/etc/passwd", "a/../../x.wav", "a@@5.wav", "${x}.wav", "a\\..\\x.wav", "a\nb.wav", "\x00.wav"],
)
def test_a_prompt_is_a_name_inside_its_folder(name: str) -> None:
    with pytest.raises(VoicebotError, match=r"prompt|YAML|character"):
        parse_scenario(f'name: x\nstart: a\nsteps: {{a: {{prompt: "{name.encode("unicode_escape").decode()}"}}}}\n')


@pytest.mark.parametrize("link", ["file", "folder"])
def test_a_link_out_of_the_folder_of_prompts_is_refused(tmp_path: Path, link: str) -> None:
    prompts, private = tmp_path / "prompts", tmp_path / "private"
    prompts.mkdir()
    private.mkdir()
    (private / "a.wav").write_bytes(b"RIFF")
    name = "a.wav" if link == "file" else "inside/a.wav"
    (prompts / name.partition("/")[0]).symlink_to(private / "a.wav" if link == "file" else private)
    scenario = parse_scenario(f"name: x\nstart: a\nsteps: {{a: {{prompt: {name}}}}}\n")
    config = RobotConfig().replacing(freeswitch={"prompts_dir": str(prompts)})
    with pytest.raises(VoicebotError, match="leads out of its folder"):
        Prompts(config, scenario)
    (tmp_path / "elsewhere").symlink_to(private)  # the folder itself may be a link, and links inside it stay in it
    (private / "inside").mkdir()
    (private / "inside" / "a.wav").symlink_to(private / "a.wav")
    Prompts(config.replacing(freeswitch={"prompts_dir": str(tmp_path / "elsewhere")}), scenario)


# ---- YAML

EVIL = "!!python/object/apply:os.system ['touch owned']"
LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize("load", [load_robot, load_keywords, load_callees, lambda path: load_scenario(str(path))])
@pytest.mark.parametrize(
    "text",
    [f"x: {EVIL}\n", EVIL, f"? {EVIL}\n: 1\n", "!!python/name:os.system", "x: !!python/module:os\n", LAUGHS],
    ids=["a value", "the file", "a key", "a name", "a module", "a billion laughs"],
)
def test_yaml_makes_no_objects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, load: Any, text: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(VoicebotError) as caught:
        load(tmp_path / "x.yaml")
    assert len(str(caught.value)) < 4000
    assert not (tmp_path / "owned").exists()


# ---- pages


def test_a_number_list_and_a_scenario_cannot_write_into_a_page() -> None:
    picture = Picture(b"png", 0.07, 0.98, -150, 9350, 1400)
    for field in ("number", "scenario", "call_id", "outcome", "disposition", "hangup_cause", "started_at"):
        calm, hostile = (full_report("x", **{field: text}) for text in ("calm", HOSTILE))
        for mask in (True, False):
            pages = [
                (call_page(calm, picture, None, mask=mask), call_page(hostile, picture, None, mask=mask)),
                (index_page([calm], {}, mask=mask), index_page([hostile], {}, mask=mask)),
                (index_page([calm], {"calm": "a.html"}), index_page([hostile], {HOSTILE: HOSTILE + ".html"})),
            ]
            for before, after in pages[: 3 if field == "call_id" else 2]:
                assert Outline(after).tags == Outline(before).tags, field


FORBIDDEN = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|srcdoc|DOMParser"


@pytest.mark.parametrize(
    "path", sorted([*(ROOT / "V3" / "web" / "js").glob("*.js"), ROOT / "V3" / "picture" / "page.js"])
)
def test_pages_write_words_as_text_only(path: Path) -> None:
    assert re.search(FORBIDDEN, path.read_text(encoding="utf-8")) is None


# ---- the event socket of the simulator


def test_a_page_cannot_post_commands_to_the_simulators_event_socket() -> None:
    """A form's body may hold "auth ClueCon" and a command, each on lines of its own, after what its length takes."""
    body = b"\n\nx\n\nauth ClueCon\n\napi originate {}loopback/x/default &park()\n\n"
    head = "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1\r\nContent-Type: text/plain\r\n\r\n"

    async def test() -> None:
        async with FreeSwitchSimulator({}) as simulator:
            async with raw(simulator.port, head.encode() + body) as (reader, _):
                told = await is_cut(reader)
                assert b"accepted" not in told
                assert b"originate" not in told
            assert simulator.dialled == []
            assert not simulator.failures

    asyncio.run(test())


def test_a_stranger_fills_no_memory_of_the_simulator() -> None:
    async def test() -> None:
        async with FreeSwitchSimulator({}) as simulator, raw(simulator.port) as (reader, writer):
            (connection,) = await _connections(simulator)
            writer.write(b"x" * 900_000 + b"\n\n")
            for _ in range(3):
                writer.write(b"api status\n\n" * 100)
                await asyncio.wait_for(reader.readuntil(b"command not found"), 10)
                assert len(connection._commands) <= 32

    asyncio.run(test())


async def _connections(simulator: FreeSwitchSimulator) -> set[EslConnection]:
    async with asyncio.timeout(10):
        while not simulator._connections:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)
    return simulator._connections
