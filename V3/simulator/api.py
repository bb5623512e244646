"""The ``api`` commands of the simulated FreeSWITCH, with its replies byte for byte.

An api may block: ``originate`` until its result, a stream's ``stop`` while its server keeps TCP open. Whoever runs
it waits, and with it everything on that connection.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from V3.simulator.api_show import dump, show, status
from V3.simulator.api_stream import StreamApi
from V3.simulator.originate import brace_variables, separate
from V3.simulator.outcomes import cause_named
from V3.simulator.player import Execute
from V3.simulator.switch import Originated, Switch

__all__ = ["Api"]

NO_CHANNEL = "-ERR No such channel!\n"
NO_SESSION = "-ERR Cannot locate session!\n"
VERSION = "FreeSWITCH Version 1.10.12-release~64bit ( 64bit)\n"


class Api:
    """Runs one api line at a time; several may be under way."""

    def __init__(self, switch: Switch, crash: Callable[[], Awaitable[None]]) -> None:
        self._switch = switch
        self._stream = StreamApi(switch, crash)
        self._commands: dict[str, Callable[[str], str]] = {
            "global_getvar": lambda _: "-ERR no reply\n",
            "hupall": self._hupall,
            "show": lambda arguments: show(switch, arguments),
            "status": lambda _: status(switch),
            "uuid_break": self._break,
            "uuid_broadcast": self._broadcast,
            "uuid_dump": lambda arguments: dump(switch, arguments),
            "uuid_exists": lambda arguments: "true" if arguments.strip() in switch.calls else "false",
            "uuid_getvar": self._getvar,
            "uuid_kill": self._kill,
            "uuid_record": self._record,
            "uuid_recv_dtmf": self._recv_dtmf,
            "uuid_send_dtmf": self._send_dtmf,
            "uuid_setvar": self._setvar,
            "version": lambda _: VERSION,
        }

    async def run(self, line: str) -> Originated:
        """The reply to ``name arguments``, and what to call once it went out."""
        name, _, arguments = line.strip().partition(" ")
        if name == "originate":
            return await self._switch.originate(arguments)
        if name == "uuid_audio_stream":
            return Originated(await self._stream.run(arguments))
        command = self._commands.get(name)
        return Originated(command(arguments) if command else f"-ERR {name} Command not found!\n")

    async def text(self, line: str) -> str:
        """The same for those who want the reply alone (api_on_answer)."""
        answer = await self.run(line)
        answer.replied()
        return answer.reply

    def _kill(self, arguments: str) -> str:
        uuid, _, cause = arguments.strip().partition(" ")
        if not uuid:
            return "-USAGE: <uuid> [cause]\n"
        call = self._switch.calls.get(uuid)
        if call is None:
            return NO_CHANNEL
        if call.near.uuid == uuid:
            call.hang_up(cause or "NORMAL_CLEARING", by="robot")
        else:
            call.callee_hangs_up(cause or "NORMAL_CLEARING")
        return "+OK\n"

    def _hupall(self, arguments: str) -> str:
        cause = cause_named(arguments) if arguments.strip() else "MANAGER_REQUEST"
        for call in self._switch.live_calls():
            call.hang_up(cause, by="robot")
        return f"+OK hangup all channels with cause {cause}\n"

    def _break(self, arguments: str) -> str:
        uuid, _, flag = arguments.strip().partition(" ")
        if not uuid:
            return "-USAGE: <uuid> [all]\n"
        if uuid not in self._switch.calls:
            return NO_CHANNEL
        call = self._switch.call_of(uuid)
        if call is not None and not (call.player.playing and self._switch.faults.loses_break()):
            call.player.interrupt(everything="all" in flag)
        return "+OK\n"

    def _broadcast(self, arguments: str) -> str:
        words = separate(arguments, " ", 4)
        if len(words) < 2:
            return "-USAGE: <uuid> <path> [aleg|bleg|holdb|both]\n"
        if words[0] not in self._switch.calls:
            return "-ERR invalid uuid\n"
        call = self._switch.call_of(words[0])
        if call is not None and (len(words) < 3 or words[2] in ("aleg", "both")):
            call.player.enqueue(_broadcast_item(words[1]))
        return "+OK Message sent\n"

    def _getvar(self, arguments: str) -> str:
        words = separate(arguments, " ", 4)
        if len(words) < 2:
            return "-USAGE: <uuid> <var>\n"
        leg = next((leg for leg in self._switch.legs() if leg.uuid == words[0]), None)
        return NO_CHANNEL if leg is None else leg.variables.get(words[1], "_undef_")

    def _setvar(self, arguments: str) -> str:
        words = separate(arguments, " ", 3)
        if len(words) < 2:
            return "-USAGE: <uuid> <var> [value]\n"
        leg = next((leg for leg in self._switch.legs() if leg.uuid == words[0]), None)
        if leg is None:
            return NO_CHANNEL
        if len(words) == 3 and words[2]:
            leg.variables[words[1]] = words[2]
        else:
            leg.variables.pop(words[1], None)
        return "+OK\n"

    def _record(self, arguments: str) -> str:
        words = separate(arguments, " ", 5)
        if len(words) < 3 or words[1].lower() not in ("start", "stop"):
            return "-USAGE: <uuid> [start|stop|mask|unmask] <path> [<limit>] [<recording_vars>]\n"
        call = self._switch.call_of(words[0])
        if call is None:
            return NO_SESSION
        if words[1].lower() == "start":
            if not _can_record(Path(words[2])):
                return "-ERR Cannot record session!\n"
            call.start_recording(words[2], brace_variables(words[4]) if len(words) > 4 else {})
        elif words[2] == "all" and call.recordings:
            for path in list(call.recordings):
                call.stop_recording(path)
        elif words[2] in call.recordings:
            call.stop_recording(words[2])
        else:
            return "-ERR Cannot stop record session!\n"
        return "+OK Success\n"

    def _send_dtmf(self, arguments: str) -> str:
        words = separate(arguments, " ", 2)
        if len(words) < 2:
            return "-USAGE: <uuid> <dtmf_data>\n"
        call = self._switch.calls.get(words[0])
        if call is None:
            return NO_SESSION
        if call.near.uuid == words[0]:
            call.robot_sends_digits(words[1])
        else:
            call.callee_sends_digits(words[1])
        return f"+OK {words[0]} sent DTMF {words[1]}.\n"

    def _recv_dtmf(self, arguments: str) -> str:
        words = separate(arguments, " ", 2)
        if len(words) < 2:
            return "-USAGE: <uuid> <dtmf_data>\n"
        call = self._switch.call_of(words[0])
        if call is None:
            return NO_SESSION
        call.callee_sends_digits(words[1], source="APP")
        return f"+OK {words[0]} received DTMF {words[1]}.\n"


def _can_record(path: Path) -> bool:
    """Missing folders are made; the extension says the format, and of those FreeSWITCH knows only WAV is known here."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return path.suffix == ".wav"


def _broadcast_item(path: str) -> Execute:
    """``path``, ``app::argument`` or ``app!cause::argument`` (hang up when it is over)."""
    application, found, argument = path.partition("::")
    if not found:
        application, argument = "playback", path
    application, _, cause = application.partition("!")
    return Execute(application, argument, locked=True, leads=True, hangup_after=cause_named(cause) if cause else "")
