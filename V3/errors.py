"""Every error this project raises, in one tree.

::

    VoicebotError
     +-- ConfigError                what a settings file says cannot be used; names the key and what is accepted
     +-- AudioError                 samples of a shape, length, rate or type that is not taken
     +-- ModelError                 the recogniser cannot be loaded or does not answer
     |    +-- ModelNotFound         no such name or directory
     |    +-- DeviceUnavailable     cuda asked for where there is none
     |    +-- ModelSelfTestFailed   it loads, yet hears nothing in a bundled word
     +-- RecognitionError           a decode failed
     |    +-- RecognitionTimeout    ... took too long
     |    +-- RecognizerOverloaded  ... was not begun: too much is waiting
     |    +-- RecognizerClosed      ... was asked of an engine that has been closed
     |    +-- CapacityReached       a new call was refused before it began: those in progress take all there is
     +-- WireError                  a WebSocket client broke its dialect; carries the close code
     +-- StreamError                a call's audio stream: refused, late, silent or lost
     +-- EslError                   FreeSWITCH's event socket
     |    +-- EslProtocolError      bytes that are no ESL message
     |    +-- EslAuthError          wrong password or refused by the access list
     |    +-- EslNotConnected       not sent: there is no connection
     |    +-- EslConnectionLost     sent, and the connection ended before the answer: outcome unknown
     |    +-- EslTimeout            sent, and no answer in time: outcome unknown
     |    +-- EslCommandFailed      FreeSWITCH answered -ERR
     +-- CommandError               a value that cannot be put in a command safely; nothing was sent
     +-- CallError                  a call that could not go on
     |    +-- DialRefused           not dialled: already dialled, or no valid number
     |    +-- PromptError           a prompt did not start, or its file is missing
     |    +-- CallEnded             the callee (or FreeSWITCH) hung up
     |    +-- CallTimeout           a step of the call took longer than its bound
     +-- ScenarioError              a scenario file that cannot be followed
     +-- SimulatorError             a callee script that cannot be followed

``outcome_unknown`` on an error says that the command may have been carried out: it is never sent again, its
outcome is settled by asking FreeSWITCH (``uuid_exists``, ``show channels``).
"""

from __future__ import annotations

__all__ = [
    "AudioError",
    "CallEnded",
    "CallError",
    "CallTimeout",
    "CapacityReached",
    "CommandError",
    "ConfigError",
    "DeviceUnavailable",
    "DialRefused",
    "EslAuthError",
    "EslCommandFailed",
    "EslConnectionLost",
    "EslError",
    "EslNotConnected",
    "EslProtocolError",
    "EslTimeout",
    "ModelError",
    "ModelNotFound",
    "ModelSelfTestFailed",
    "PromptError",
    "RecognitionError",
    "RecognitionTimeout",
    "RecognizerClosed",
    "RecognizerOverloaded",
    "ScenarioError",
    "SimulatorError",
    "StreamError",
    "VoicebotError",
    "WireError",
]


class VoicebotError(Exception):
    """Root of the tree."""

    outcome_unknown = False


class ConfigError(VoicebotError):
    """A setting that cannot be used."""


class AudioError(VoicebotError, ValueError):
    """Samples of a shape, length, rate or type that is not taken."""


class ModelError(VoicebotError):
    """The recogniser cannot be loaded or does not answer."""


class ModelNotFound(ModelError):
    """No model of that name, and no such directory."""


class DeviceUnavailable(ModelError):
    """The device asked for is not there."""


class ModelSelfTestFailed(ModelError):
    """The model loads but hears nothing in a bundled word."""


class RecognitionError(VoicebotError):
    """A decode failed."""


class RecognitionTimeout(RecognitionError):
    """A decode took too long."""


class RecognizerOverloaded(RecognitionError):
    """A decode was dropped because too much is waiting."""


class RecognizerClosed(RecognitionError):
    """The engine has been closed."""


class CapacityReached(RecognitionError):
    """A new call was refused before it began: the calls in progress take all that can be heard at once."""


class WireError(VoicebotError):
    """A client broke its dialect; ``close_code`` is what the server closes with."""

    def __init__(self, message: str, *, close_code: int = 1003) -> None:
        super().__init__(message)
        self.close_code = close_code


class StreamError(VoicebotError):
    """A call's audio stream was refused, came late, fell silent or was lost."""


class EslError(VoicebotError):
    """Root of what can go wrong with FreeSWITCH's event socket."""


class EslProtocolError(EslError):
    """Bytes that are no ESL message."""


class EslAuthError(EslError):
    """The password or the access list refused us."""


class EslNotConnected(EslError):
    """Nothing was sent: there is no connection."""


class EslConnectionLost(EslError):
    """The connection ended before the answer came."""

    outcome_unknown = True


class EslTimeout(EslError):
    """No answer came in time."""

    outcome_unknown = True


class EslCommandFailed(EslError):
    """FreeSWITCH answered ``-ERR``; ``reason`` is what followed."""

    def __init__(self, command: str, reason: str) -> None:
        super().__init__(f"{command}: -ERR {reason}")
        self.command = command
        self.reason = reason


class CommandError(VoicebotError, ValueError):
    """A value that cannot be put in a command safely. Nothing was sent."""


class CallError(VoicebotError):
    """A call that could not go on."""


class DialRefused(CallError):
    """The number was not dialled."""


class PromptError(CallError):
    """A prompt did not start, or its file is missing."""


class CallEnded(CallError):
    """The call was hung up; ``cause`` is FreeSWITCH's hangup cause."""

    def __init__(self, cause: str) -> None:
        super().__init__(f"the call ended: {cause}")
        self.cause = cause


class CallTimeout(CallError):
    """A step of the call took longer than its bound."""


class ScenarioError(VoicebotError):
    """A scenario file that cannot be followed."""


class SimulatorError(VoicebotError):
    """A callee script that cannot be followed."""
