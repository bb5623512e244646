"""Settings: ``config/robot.yaml`` and ``config/amd_fr.yaml``, read once into frozen models.

Unknown keys are refused by name. Secrets may also come from the environment (``VOICEBOT_ESL_PASSWORD``,
``VOICEBOT_SERVER_TOKEN``, ``VOICEBOT_CLIENT_TOKEN``), which wins over the file, and are never printed. The two
``load_`` functions are the only ones of the cores that read files: they run once, before any call.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator

from V3.errors import ConfigError

__all__ = [
    "CONFIG_DIR",
    "AnswerKeywords",
    "AnswerSettings",
    "BargeInSettings",
    "CallSettings",
    "ClientSettings",
    "FreeSwitchSettings",
    "RecordingSettings",
    "RobotConfig",
    "ServerSettings",
    "SttSettings",
    "TurnSettings",
    "config_dir",
    "load_cues",
    "load_keywords",
    "load_robot",
    "parse_robot",
]

CONFIG_DIR = Path(__file__).resolve().parent.parent / "config"
BACKCHANNELS = (
    *("oui", "ouais", "mmh", "mm", "hum", "hm", "hmm", "ah", "oh", "euh", "bah", "ben", "bon", "bien", "très bien"),
    *("d'accord", "ok", "okay", "ça marche", "je vois", "voilà", "c'est ça", "exactement", "tout à fait", "entendu"),
    *("parfait", "oui oui", "bien sûr", "ah bon", "bah oui", "ben oui", "mais oui", "pas de souci", "pas de problème"),
    *("c'est vrai", "effectivement", "absolument", "super", "génial", "hum hum", "hein"),
)
STOP_WORDS = (
    *("stop", "arrêtez", "arrête", "taisez-vous", "attendez", "une seconde", "pardon", "excusez-moi", "non merci"),
    "au revoir",
)
RECORDING_FOLDER = re.compile(r"(?:[A-Za-z]:)?/[^\s'\"{}\\$,\x00-\x1f\x7f]{0,900}")
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_SECRETS = {
    "VOICEBOT_ESL_PASSWORD": ("freeswitch", "password"),
    "VOICEBOT_SERVER_TOKEN": ("server", "token"),
    "VOICEBOT_CLIENT_TOKEN": ("clients", "token"),
}


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FreeSwitchSettings(_Strict):
    """Where FreeSWITCH is and how it dials."""

    host: str = "127.0.0.1"
    port: int = Field(default=8021, ge=1, le=65535)
    password: SecretStr = SecretStr("ClueCon")
    dial_string: str = "sofia/gateway/trunk/{number}"
    caller_id_number: str = ""
    caller_id_name: str = ""
    variables: dict[str, str] = {}
    originate_timeout_s: int = Field(default=30, ge=5, le=120)
    ignore_early_media: bool = True
    prompts_dir: str = ""
    reply_timeout_s: float = Field(default=5.0, gt=0, le=60)
    keepalive_s: float = Field(default=10.0, gt=0, le=300)


class ServerSettings(_Strict):
    """The WebSocket that mod_audio_stream connects to."""

    host: str = "127.0.0.1"
    port: int = Field(default=8766, ge=0, le=65535)
    public_url: str = ""
    elsewhere: str = ""
    token: SecretStr = SecretStr("")
    certificate: str = ""
    key: str = ""
    max_streams: int = Field(default=200, ge=1)
    max_new_per_s: float = Field(default=100.0, ge=0)
    max_message_bytes: int = Field(default=65536, ge=640)
    idle_timeout_s: float = Field(default=10.0, gt=0)
    rate_hz: Literal[8000, 16000] = 16000
    send_events: bool = False
    drain_s: float = Field(default=60.0, ge=0, le=7200)

    @model_validator(mode="after")
    def _safe_where_the_world_can_reach(self) -> ServerSettings:
        if self.host not in LOOPBACK and not self.token.get_secret_value():
            raise ValueError(f"listening on {self.host} needs a token (server.token or VOICEBOT_SERVER_TOKEN)")
        if bool(self.certificate) != bool(self.key):
            raise ValueError("certificate and key are given together or not at all")
        return self


class ClientSettings(_Strict):
    """The server of browsers, captions and other programs (python -m V3 serve)."""

    host: str = "127.0.0.1"
    port: int = Field(default=8765, ge=0, le=65535)
    root: Literal["captions", "sources", "vad", "recorder"] = "captions"
    token: SecretStr = SecretStr("")
    certificate: str = ""
    key: str = ""
    origins: tuple[str, ...] = ()
    max_clients: int = Field(default=64, ge=1, le=10_000)
    max_per_address: int = Field(default=32, ge=0)
    max_new_per_s: float = Field(default=50.0, ge=0)
    kept_for_calls: float = Field(default=0.25, ge=0, lt=1)
    max_message_bytes: int = Field(default=8_388_608, ge=65_536, le=268_435_456)
    idle_timeout_s: float = Field(default=120.0, gt=0, le=86_400)
    chunk_duration_s: float = Field(default=2.0, ge=0.5, le=28)
    min_chunk_s: float = Field(default=0.5, ge=0.1, le=28)
    rejoin_s: float = Field(default=30.0, ge=0, le=3600)
    vad_aggressiveness: int = Field(default=2, ge=0, le=3)
    max_upload_bytes: int = Field(default=104_857_600, ge=65_536)
    max_upload_s: float = Field(default=7200.0, gt=0, le=86_400)
    max_uploads: int = Field(default=2, ge=1, le=64)

    @model_validator(mode="after")
    def _safe_where_the_world_can_reach(self) -> ClientSettings:
        if self.host not in LOOPBACK and not self.token.get_secret_value():
            raise ValueError(f"listening on {self.host} needs a token (clients.token or VOICEBOT_CLIENT_TOKEN)")
        if bool(self.certificate) != bool(self.key):
            raise ValueError("certificate and key are given together or not at all")
        return self


class SttSettings(_Strict):
    """The recogniser."""

    engine: Literal["voicebot", "whisper_online"] = "voicebot"
    model: str = "telephone-fr"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    compute_type: str = "default"
    language: str = "fr"
    beam_size: int = Field(default=5, ge=1, le=10)
    cpu_threads: int = Field(default=0, ge=0)
    workers: int = Field(default=0, ge=0)
    audio_context: Literal["model", "auto", "full", "forced"] = "model"
    policy: Literal["local_agreement", "align_att"] = "local_agreement"
    hop_ms: int = Field(default=300, ge=100, le=3000)
    prompt: str = ""
    hotwords: str = ""


class AnswerSettings(_Strict):
    """Who answered."""

    window_s: float = Field(default=2.3, ge=0.5, le=10)
    decode_timeout_s: float = Field(default=0.5, gt=0, le=10)
    keywords: str = "amd_fr.yaml"
    early_verdict: bool = True
    early_person_from: float = Field(default=0.9, ge=0.5, le=1)
    early_machine_from: float = Field(default=0.7, ge=0.5, le=1)
    early_silence_ms: int = Field(default=400, ge=100, le=2000)
    greeting_silence_ms: int = Field(default=700, ge=100, le=3000)
    revise: bool = True
    revise_until_s: float = Field(default=6.0, ge=0, le=30)
    revise_from: float = Field(default=0.97, ge=0.5, le=1)
    on_machine: Literal["hang_up", "leave_message"] = "hang_up"
    message_wait_s: float = Field(default=30.0, gt=0, le=120)
    message_silence_s: float = Field(default=2.5, ge=0.5, le=10)
    silence_wait_s: float = Field(default=4.0, ge=0, le=30)


class BargeInSettings(_Strict):
    """When the robot stops talking."""

    speech_ms: int = Field(default=1500, ge=200, le=10000)
    pause_ms: int = Field(default=350, ge=100, le=10000)
    false_after_ms: int = Field(default=1200, ge=200, le=10000)
    faint_db: float = Field(default=10.0, ge=0, le=60)
    words: int = Field(default=2, ge=1, le=20)
    min_confidence: float = Field(default=0.5, ge=0, le=1)
    backchannels: tuple[str, ...] = BACKCHANNELS
    stop_words: tuple[str, ...] = STOP_WORDS

    @property
    def phrases(self) -> tuple[str, ...]:
        """What may be all that is said over a prompt."""
        return (*self.stop_words, *self.backchannels)


class TurnSettings(_Strict):
    """When the callee's turn is over."""

    short_ms: int = Field(default=360, ge=240, le=5000)
    usual_ms: int = Field(default=500, ge=240, le=5000)
    number_ms: int = Field(default=900, ge=240, le=5000)
    long_ms: int = Field(default=1200, ge=240, le=10000)


class CallSettings(_Strict):
    """A call's bounds."""

    scenario: str = "rendez_vous.yaml"
    max_duration_s: float = Field(default=180, ge=5, le=7200)
    stream_timeout_s: float = Field(default=2.0, gt=0, le=30)
    prompt_start_timeout_s: float = Field(default=1.0, gt=0, le=10)
    break_resend_ms: int = Field(default=200, ge=50, le=300)
    reply_overlap_ms: int = Field(default=700, ge=0, le=5000)
    reconnect_wait_s: float = Field(default=8.0, gt=0, le=60)
    drain_s: float = Field(default=60.0, ge=0, le=7200)
    reports_dir: str = "reports"


class RecordingSettings(_Strict):
    """Calls as stereo WAVs, written by FreeSWITCH; callees' words in reports; how long all that is kept."""

    enabled: bool = False
    folder: str = ""
    transcripts: bool = False
    retention_days: int = Field(default=30, ge=0, le=3650)

    @model_validator(mode="after")
    def _a_folder_that_a_command_can_name(self) -> RecordingSettings:
        if self.enabled and not self.folder:
            raise ValueError("enabled needs a folder on FreeSWITCH's machine")
        if self.folder and not RECORDING_FOLDER.fullmatch(self.folder):
            what = "an absolute path without blanks, quotes, braces, backslashes, commas and $"
            raise ValueError(f"folder is {what}: FreeSWITCH would cut it there, and write elsewhere")
        return self


class RobotConfig(_Strict):
    """All of ``config/robot.yaml``."""

    freeswitch: FreeSwitchSettings = FreeSwitchSettings()
    server: ServerSettings = ServerSettings()
    clients: ClientSettings = ClientSettings()
    stt: SttSettings = SttSettings()
    answer: AnswerSettings = AnswerSettings()
    barge_in: BargeInSettings = BargeInSettings()
    turns: TurnSettings = TurnSettings()
    call: CallSettings = CallSettings()
    recording: RecordingSettings = RecordingSettings()

    def replacing(self, **sections: Mapping[str, Any]) -> RobotConfig:
        """A copy with some keys changed (``server={"port": 0}``), checked like a file."""
        data = {name: section.model_dump() for name, section in self}
        for name, changes in sections.items():
            data.setdefault(name, {}).update(changes)  # a section that is not known is refused below, by name
        return _checked(RobotConfig, data, "settings")


class KeywordClassSettings(_Strict):
    """One class of phrases; ``kind`` is what answered where it decides (a :class:`V3.calls.answer.AnswerKind`)."""

    weight: float = Field(gt=0, le=10)
    kind: str = ""
    phrases: tuple[str, ...] = Field(min_length=1)


class AnswerKeywords(_Strict):
    """All of ``config/amd_fr.yaml``; ``cues`` is a file beside it with learned weights."""

    machine_from: float = Field(default=0.0, allow_inf_nan=False)
    bias: float = Field(default=0.0, allow_inf_nan=False)
    timing: dict[str, Annotated[float, Field(allow_inf_nan=False)]] = {}
    machine: dict[str, KeywordClassSettings]
    human: dict[str, KeywordClassSettings]
    kinds: dict[str, tuple[str, ...]] = {}
    hallucination_marks: tuple[str, ...] = ()
    hallucinations: tuple[str, ...] = ()
    cues: str = ""


_Model = TypeVar("_Model", bound=BaseModel)


def config_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """The folder of settings: ``VOICEBOT_CONFIG_DIR``, else ``config/`` beside the package."""
    return Path(environ.get("VOICEBOT_CONFIG_DIR", CONFIG_DIR))


def load_robot(path: Path | None = None, *, environ: Mapping[str, str] = os.environ) -> RobotConfig:
    """Read ``robot.yaml``. Raises ConfigError naming the file, the key, what was wrong and what is taken."""
    path = path or config_dir(environ) / "robot.yaml"
    return parse_robot(_read(path), environ=environ, source=str(path))


def parse_robot(text: str, *, environ: Mapping[str, str], source: str = "robot.yaml") -> RobotConfig:
    """Settings from YAML text, with the secrets of ``environ`` put in."""
    data = {name: {} if section is None else section for name, section in _mapping(text, source).items()}
    for variable, (section, key) in _SECRETS.items():
        if variable in environ and isinstance(data.setdefault(section, {}), dict):
            data[section] = {**data[section], key: environ[variable]}
    return _checked(RobotConfig, data, source)


def load_keywords(path: Path | None = None) -> AnswerKeywords:
    """Read the phrases of answer detection. Raises ConfigError."""
    path = path or config_dir() / "amd_fr.yaml"
    return _checked(AnswerKeywords, _mapping(_read(path), str(path)), str(path))


def load_cues(path: Path) -> dict[str, float]:
    """Read the learned weights of ``config/amd_fr_cues.tsv``: a cue, a tab, its weight. Raises ConfigError."""
    found: dict[str, float] = {}
    for number, line in enumerate(_read(path).split("\n"), start=1):
        if line and not line.startswith("#"):
            cue, _, weight = line.partition("\t")
            try:
                found[cue] = float(weight)
            except ValueError:
                found[cue] = math.nan
            if not math.isfinite(found[cue]):
                raise ConfigError(f"{path}, line {number}: a cue, a tab and its weight are taken")
    return found


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(f"{path} cannot be read: {exc}") from exc


def _mapping(text: str, source: str) -> dict[str, Any]:
    try:
        data = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as exc:  # ValueError: a date that cannot be
        raise ConfigError(f"{source} is no YAML: {_yaml_fault(exc)}") from None
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise ConfigError(f"{source} holds a {type(data).__name__}; keys with values are taken")
    return data


def _yaml_fault(error: Exception) -> str:
    """What is wrong and where, without the line itself: it may hold a secret."""
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return type(error).__name__
    problem = re.sub("'..+'", "'...'", str(error.problem))
    return f"{problem} (line {error.problem_mark.line + 1})"


def _checked(model: type[_Model], data: Mapping[str, Any], source: str) -> _Model:
    try:
        return model.model_validate(data)
    except ValidationError as exc:
        raise ConfigError(f"{source}: {'; '.join(_fault(e, model) for e in exc.errors())}") from None


def _fault(error: Any, model: type[BaseModel]) -> str:
    where = ".".join(map(str, error["loc"])) or "file"
    if error["type"] == "extra_forbidden":
        return f"unknown key {where}; known here: {', '.join(_known(model, error['loc'][:-1]))}"
    return f"{where}: {error['msg']}"  # the value is not repeated: it may be a secret


def _known(model: type[BaseModel], path: tuple[Any, ...]) -> list[str]:
    inner: Any = model
    for name in path:
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            field = inner.model_fields.get(str(name))
            inner = field.annotation if field else None
        else:
            inner = (*get_args(inner), None, None)[1]  # the values of a dict[str, model], whatever their name
    return sorted(inner.model_fields) if isinstance(inner, type) and issubclass(inner, BaseModel) else []
