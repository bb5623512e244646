"""An embedded FreeSWITCH: event socket, scripted callees and mod_audio_stream, with the real one's timing and traps."""

from V3.simulator.callee import Beep, Callee, Dtmf, Echo, HangUp, Record, Rule, Say, Silence, Trigger, When
from V3.simulator.callee_yaml import load_callees
from V3.simulator.faults import Faults
from V3.simulator.server import ChannelInfo, FreeSwitchSimulator
from V3.simulator.truth import CallTruth, HeardPrompt, RecordedPart, Utterance

__all__ = [
    "Beep",
    "CallTruth",
    "Callee",
    "ChannelInfo",
    "Dtmf",
    "Echo",
    "Faults",
    "FreeSwitchSimulator",
    "HangUp",
    "HeardPrompt",
    "Record",
    "RecordedPart",
    "Rule",
    "Say",
    "Silence",
    "Trigger",
    "Utterance",
    "When",
    "load_callees",
]
