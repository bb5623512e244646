"""POST /v1/audio/transcriptions: a file in, its text out, in the words of OpenAI's API.

The file goes through a stream of its own, cut at its pauses, with at most two decodes in flight: calls and clients in
progress are not held up by it. Bounds: bytes of the file, seconds of its sound, files at the same time.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import time
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from V3.audio.pcm import FRAME_SAMPLES, RATE_HZ
from V3.config import ClientSettings
from V3.errors import AudioError, ConfigError, RecognitionError, WireError
from V3.events import Event, StreamFailed
from V3.events import Final as Ended
from V3.system.services.client_admission import Admission
from V3.system.services.client_metrics import ClientMetrics
from V3.system.services.file_audio import file_audio
from V3.wire.dialect import FrameCutter
from V3.wire.openai_api import CONTENT_TYPES, Asked, asked, error_body, json_body, srt, text_body, verbose_body, vtt

__all__ = ["TranscriptionApi"]

log = logging.getLogger(__name__)

_PENDING_DECODES: Final = 2
_DECODE_TIMEOUT_S: Final = 60.0
_MAX_FIELDS: Final = 32
_MULTIPART_OVERHEAD_BYTES: Final = 65_536
_SILENCE_S: Final = 15.0  # a sender that says nothing for so long has gone
_LEAST_BYTES_PER_S: Final = 8192  # a quarter of what a telephone call takes: two slow senders would hold both places


class _Refused(Exception):
    """A request that gets an error for an answer."""

    def __init__(self, status: int, message: str, *, kind: str = "invalid_request_error", param: str = "") -> None:
        super().__init__(message)
        unread = {"Connection": "close"} if status in (408, 413) else None  # what is still to come is not waited for
        self.response = JSONResponse(error_body(message, kind=kind, param=param or None), status, unread)
        self.status = status


class TranscriptionApi:
    """The endpoint. ``room`` says how many more streams can be heard."""

    def __init__(
        self,
        stt: Any,
        settings: ClientSettings,
        admission: Admission,
        metrics: ClientMetrics,
        *,
        room: Callable[[], int],
    ) -> None:
        self._stt = stt
        self._settings = settings
        self._admission = admission
        self._metrics = metrics
        self._room = room
        self._names = itertools.count(1)
        self._under_way = 0
        self._all_done = asyncio.Event()

    async def done(self, within_s: float) -> bool:
        """Wait until no file is being transcribed; False where that takes longer than ``within_s``."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while self._under_way:
                    self._all_done.clear()
                    await self._all_done.wait()
        return not self._under_way

    async def transcribe(self, request: Request) -> Response:
        """Answer one request."""
        outcome = "answered"
        try:
            self._check_sender(request)
            self._check_room()
            self._under_way += 1
            try:
                return await self._answer(request)
            finally:
                self._under_way -= 1
                self._all_done.set()
        except _Refused as refusal:
            outcome = "refused" if refusal.status < 500 else "failed"
            return refusal.response
        except ClientDisconnect:
            outcome = "gone"
            return Response(status_code=499)
        finally:
            self._metrics.uploads.labels(outcome).inc()

    def _check_sender(self, request: Request) -> None:
        if not self._admission.may_come_from(request):
            raise _Refused(403, "pages of this origin may not send files")
        if not self._admission.has_token(request):
            raise _Refused(401, "the token is missing or wrong", kind="authentication_error")

    def _check_room(self) -> None:
        if self._under_way >= self._settings.max_uploads or self._room() < 1:
            raise _Refused(429, "too many files are being transcribed: try again later", kind="rate_limit_error")

    async def _answer(self, request: Request) -> Response:
        limited = Request(request.scope, self._limited(request))
        try:
            async with limited.form(max_files=1, max_fields=_MAX_FIELDS) as form:
                file = form.get("file")
                if not isinstance(file, UploadFile):
                    raise _Refused(400, "file is missing: multipart/form-data with a field of that name", param="file")
                wanted = self._wanted({name: [v for v in form.getlist(name) if isinstance(v, str)] for name in form})
                return await self._heard(request, file, wanted)
        except (MultiPartException, HTTPException) as exc:
            raise _Refused(400, f"multipart/form-data that cannot be read: {exc}") from exc

    def _wanted(self, fields: dict[str, list[str]]) -> Asked:
        try:
            wanted = asked(fields)
            if wanted.language:
                self._stt.check(wanted.language)
        except (WireError, ConfigError) as exc:
            raise _Refused(400, str(exc)) from exc
        return wanted

    async def _heard(self, request: Request, file: UploadFile, wanted: Asked) -> Response:
        try:
            said, duration_s, language = await self._transcript(request, file, wanted)
        except AudioError as exc:
            raise _Refused(400, f"file: {exc}", param="file") from exc
        except RecognitionError as exc:
            log.warning("a file was not transcribed: %s", exc)
            raise _Refused(503, f"the recogniser did not answer: {exc}", kind="server_error") from exc
        match wanted.response_format:
            case "text":
                return PlainTextResponse(text_body(said) + "\n", media_type=CONTENT_TYPES["text"])
            case "srt":
                return PlainTextResponse(srt(said), media_type=CONTENT_TYPES["srt"])
            case "vtt":
                return PlainTextResponse(vtt(said), media_type=CONTENT_TYPES["vtt"])
            case "verbose_json":
                return JSONResponse(verbose_body(said, wanted, language=language, duration_s=duration_s))
        return JSONResponse(json_body(said))

    async def _transcript(self, request: Request, file: UploadFile, wanted: Asked) -> tuple[list[Ended], float, str]:
        """(utterances, seconds, language). Raises AudioError or RecognitionError."""
        said: list[Ended] = []
        failures: list[str] = []

        def note(event: Event) -> None:
            if isinstance(event, Ended) and event.text:
                said.append(event)
            elif isinstance(event, StreamFailed):
                failures.append(event.message)

        loop = asyncio.get_running_loop()
        stream = self._stt.open_stream(f"file-{next(self._names)}", on_event=note, loop=loop, file=True)
        try:
            stream.language = wanted.language or stream.language
            stream.prompt = wanted.prompt or stream.prompt
            await self._feed(request, file, stream)
            await stream.afinish(timeout_s=_DECODE_TIMEOUT_S)
        finally:
            stream.close()
        if failures:  # a hole in the text would not be seen
            raise RecognitionError(failures[0])
        return said, stream.at_ms / 1000, str(stream.language)

    async def _feed(self, request: Request, file: UploadFile, stream: Any) -> None:
        cutter = FrameCutter()
        heard = 0
        async with contextlib.aclosing(file_audio(file.file, max_s=self._settings.max_upload_s)) as pieces:
            async for piece in pieces:
                heard += piece.size
                if await request.is_disconnected():
                    raise ClientDisconnect
                frames = cutter.push(np.clip(piece, -2.0, 2.0))
                for start in range(0, frames.size, RATE_HZ):
                    await stream.calm(_PENDING_DECODES, timeout_s=_DECODE_TIMEOUT_S)
                    stream.process_chunk(frames[start : start + RATE_HZ])
        if not heard:
            raise AudioError("no sound in it")
        rest = cutter.push(np.zeros(FRAME_SAMPLES - 1, dtype=np.float32))  # the last samples fill no frame alone
        if rest.size:
            stream.process_chunk(rest)

    def _limited(self, request: Request) -> Callable[[], Any]:
        """The request's body, to be read only up to a bound."""
        limit, began_s = self._settings.max_upload_bytes + _MULTIPART_OVERHEAD_BYTES, time.monotonic()
        told = request.headers.get("content-length", "")
        if told.isascii() and told.isdigit() and int(told[:15]) > limit:
            raise self._too_large()
        taken = 0

        async def receive() -> Any:
            nonlocal taken
            due_s = began_s + _SILENCE_S + taken / _LEAST_BYTES_PER_S - time.monotonic()
            try:
                async with asyncio.timeout(min(_SILENCE_S, due_s)):
                    message = await request.receive()
            except TimeoutError:
                raise _Refused(
                    408, f"the file comes too slowly: {_LEAST_BYTES_PER_S} bytes a second are the least"
                ) from None
            taken += len(message.get("body", b""))
            if taken > limit:
                raise self._too_large()
            return message

        return receive

    def _too_large(self) -> _Refused:
        return _Refused(413, f"a file of more than {self._settings.max_upload_bytes} bytes", param="file")
