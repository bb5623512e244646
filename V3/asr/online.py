"""Streaming recognition of one call, as a state machine without a model, a thread or a clock.

:class:`StreamingSession` takes audio and gives decode requests and events; whoever owns it hands the requests to a
recogniser and brings the transcripts back, in any order and as late as it likes. Rules:

* silence costs no decode; voice activity opens and closes utterances, with some audio before the onset;
* at most one partial is in flight and it always holds the newest audio; finals are never dropped for partials;
* once a speaker has been silent for 240 ms the final decode is made on trial; if the silence lasts it is the Final, at
  the very end of the utterance, and if speech goes on it was one more partial;
* every SpeechEnded is followed by one Final, whose text is empty when the noise was no speech; Finals keep the order
  of their utterances; in speech that goes on for longer than a minute Finals also come in between;
* a final decode that fails leaves the words of the last partial as the Final, after a StreamFailed;
* audio in which something is wrong (clipped, at another rate than was said, ...) gives one AudioFlagged for each kind;
* memory is bounded: an idle session keeps under a second of audio, a talking one a window.

:class:`OnlineASRProcessor`, from :mod:`V3.asr.processor`, has the interface of whisper_streaming's class of that name.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final as Constant

from V3.asr.features import HOP_SAMPLES, MelTape
from V3.asr.hypothesis import PolicyName, join_words, new_policy, presentable
from V3.asr.processor import OnlineASRProcessor, RecognizerASR, WordsFromAudio
from V3.asr.transcript import DETECT, DecodeKind, DecodeRequest, Task, Transcript
from V3.asr.utterance import Pending, Segment, Utterance
from V3.audio.health import AudioHealth
from V3.audio.pcm import RATE_HZ, SAMPLES_PER_MS, Audio, quietest_sample
from V3.audio.tape import AudioTape
from V3.audio.vad import EdgeKind, VadEdge, VoiceActivity
from V3.errors import ConfigError, RecognizerOverloaded
from V3.events import AudioFlagged, Event, Final, Partial, SpeechEnded, SpeechStarted, StreamFailed

__all__ = ["OnlineASRProcessor", "RecognizerASR", "StreamingSession", "WordsFromAudio"]

_SLICE_SAMPLES: Constant = RATE_HZ // 5  # a burst is taken in pieces, so that its utterances are found one by one
_TAIL_MS: Constant = 240  # silence after the last voiced frame that a final decode hears; 200 to 300 are as good
_PAUSE_MS: Constant = 200  # a pause that a long utterance may be cut in
_CUT_SEARCH_MS: Constant = 3000  # where there is no pause: how far back the quietest spot is looked for
_CUT_SPOT_MS: Constant = 60
_MAX_DUE: Constant = 32  # final decodes not yet fetched; the oldest beyond is given up, and said to be
# A window this long is cut at the next pause. Measured with telephone-fr on calls of 10 utterances: word errors 0.26 at
# 3 s, 0.28 at 5 s (0.29 when each utterance is decoded whole); with pauses of only 0.2-0.6 s, 0.39 against 0.46.
_PAUSE_WINDOW_S: Constant = 3.0
_HARD_WINDOW_S: Constant = 28.0  # under Whisper's 30
_SURE_LANGUAGE: Constant = 0.5
_RENEWAL_SAMPLES: Constant = RATE_HZ // 10
_MAX_UTTERANCE_S: Constant = 60  # so that the words of a Partial stay few


@dataclass(slots=True)
class _Trial:
    """A final decode made before the end of its utterance is sure; ``speech_ms`` had been spoken by then."""

    pending: Pending
    speech_ms: int
    transcript: Transcript | None = None


class StreamingSession:
    """One call's speech, from 16 kHz samples to events.

    ``hop_ms``: new audio between partials. ``endpoint_ms``: silence that ends an utterance. ``preroll_ms``: audio
    before the onset that is decoded too. From 3 s on a pause of 200 ms cuts the window; at ``max_window_s`` it is cut
    in any case, at its quietest spot. ``policy`` commits the words of partials (:mod:`V3.asr.hypothesis`). With
    ``mel_bands`` (the model's) each frame of its features is computed once, here. ``endpoint`` says by its words how
    many ms of silence end an utterance, instead of ``endpoint_ms``; it is asked once the speaker has fallen silent.
    Raises ConfigError for settings that cannot work.

    These attributes may be changed at any time: ``prompt`` (text that came before), ``hotwords`` (words to expect),
    ``expected`` (phrases that may be all that is said: the Finals of short utterances say how likely each is, once
    there are partials), ``partials`` (False: finals only), ``language`` ("auto": detected from the first words that are
    sure of it, then kept), ``task``, ``stretch`` (an engine under load makes partials so many times rarer; 1.0 is none)
    and ``final_kind`` (FILE: nobody waits for the words).
    """

    def __init__(  # noqa: PLR0913 - settings of one session, each with a default
        self,
        call_id: str,
        *,
        hop_ms: int = 300,
        endpoint_ms: int = 500,
        preroll_ms: int = 200,
        max_window_s: float = 12.0,
        language: str = "fr",
        partials: bool = True,
        policy: PolicyName = "local_agreement",
        mel_bands: int = 0,
        endpoint: Callable[[Sequence[str]], int] | None = None,
    ) -> None:
        if hop_ms < 20 or endpoint_ms < _TAIL_MS or not 0 <= preroll_ms <= 1000:
            raise ConfigError(f"hop_ms {hop_ms}, endpoint_ms {endpoint_ms}, preroll_ms {preroll_ms} cannot be used")
        if not _PAUSE_WINDOW_S <= max_window_s <= _HARD_WINDOW_S:
            raise ConfigError(f"max_window_s is {_PAUSE_WINDOW_S:g} to {_HARD_WINDOW_S:g}, not {max_window_s}")
        self.call_id = call_id
        self.language = language
        self.prompt = self.hotwords = ""
        self.expected: tuple[str, ...] = ()
        self.partials = partials
        self.stretch = 1.0
        self.final_kind = DecodeKind.FINAL
        self._wanted_language = language
        self.task: Task = "transcribe"
        self._policy: PolicyName = policy
        self._hop = hop_ms * SAMPLES_PER_MS
        self._preroll = preroll_ms * SAMPLES_PER_MS
        self._max_window = int(max_window_s * RATE_HZ)
        self._endpoint = endpoint
        self._endpoint_ms = endpoint_ms
        self._vad = VoiceActivity(end_ms=endpoint_ms)
        self._mel_bands = mel_bands
        self.reset()

    def reset(self) -> None:
        """Forget everything heard: the clock is at 0, and decodes still in flight will be ignored."""
        self.language = self._wanted_language
        self._vad.end_ms = self._endpoint_ms
        self._vad.reset()
        self._health = AudioHealth()
        self._tape = AudioTape()
        self._mel = MelTape(self._mel_bands) if self._mel_bands else None
        self._events: list[Event] = []
        self._utterance: Utterance | None = None
        self._closing: deque[Utterance] = deque()
        self._due: deque[Pending] = deque()
        self._finals: dict[DecodeRequest, Pending] = {}
        self._partial: Pending | None = None
        self._trial: _Trial | None = None
        self._decoded_to = 0  # sample: how far the newest partial reached
        self._taken_to = 0  # sample: audio before it belongs to a closed segment
        self._partial_speech_ms = self._segment_speech_ms = 0
        self._trial_speech_ms = 0

    def speak(self, language: str) -> None:
        """From now on, and after a reset too, this language is spoken."""
        self.language = self._wanted_language = language

    @property
    def at_ms(self) -> int:
        """Audio heard so far."""
        return self._tape.end // SAMPLES_PER_MS

    @property
    def speech_ms(self) -> int:
        """Voiced audio so far."""
        return self._vad.speech_ms

    @property
    def speaking(self) -> bool:
        """Whether an utterance is open."""
        return self._utterance is not None

    @property
    def unfinished(self) -> bool:
        """Whether the Final of an utterance that has ended is still to come."""
        return bool(self._closing)

    def push(self, audio: Audio) -> None:
        """Take the next 16 kHz float32 samples, any number of them."""
        for start in range(0, audio.size, _SLICE_SAMPLES):
            self._take(audio[start : start + _SLICE_SAMPLES])

    def flush(self) -> None:
        """The stream ends: close the utterance that is open, with all audio heard."""
        for edge in self._vad.flush():
            self._close_utterance(edge, self._tape.end)

    def take_events(self) -> list[Event]:
        """Events since the last call, in order."""
        events, self._events = self._events, []
        return events

    def next_request(self) -> DecodeRequest | None:
        """The next decode to ask for, or None. Finals first; then a partial, when one is worth asking for."""
        if self._due:
            pending = self._due.popleft()
            self._finals[pending.request] = pending
            return pending.request
        if self._utterance is not None and self._wants_trial():
            return self._begin_trial(self._utterance, self._utterance.segments[-1])
        if not self._wants_partial() or self._utterance is None:
            return None
        segment = self._utterance.segments[-1]
        return self._begin_partial(self._request(DecodeKind.PARTIAL, segment, self._tape.end), segment, self._utterance)

    def renewal(self) -> tuple[DecodeRequest, DecodeRequest] | None:
        """The partial in flight, and a request with the audio heard since that could take its place in a queue.

        ``None`` when there is not much new. Nothing changes until :meth:`renewed` says that the place was taken.
        """
        older = self._partial
        if older is None or older.utterance is not self._utterance or older.segment.end_ms is not None:
            return None
        if self._tape.end - self._decoded_to < _RENEWAL_SAMPLES:
            return None
        return older.request, self._request(DecodeKind.PARTIAL, older.segment, self._tape.end)

    def renewed(self, newer: DecodeRequest) -> None:
        """``newer`` has taken the place of the partial in flight, which will not be answered."""
        if self._partial is not None:
            self._begin_partial(newer, self._partial.segment, self._partial.utterance)

    def complete(self, request: DecodeRequest, transcript: Transcript) -> None:
        """Take the answer to a request. One that was forgotten meanwhile (reset) is ignored."""
        if self._trial is not None and self._trial.pending.request is request:
            self._trial.transcript = transcript
            self._hear(self._trial.pending, transcript, whole=True)
            self._set_endpoint(self._trial)
            return
        pending = self._settle(request)
        if pending is None:
            return
        if request.kind is DecodeKind.PARTIAL:
            self._hear(pending, transcript, whole=False)
            return
        self._learn_language(request, transcript)
        pending.segment.finish(transcript)
        self._show(pending.utterance, request.start_ms + request.duration_ms, whole=True)
        self._emit_finals()

    def fail(self, request: DecodeRequest, error: Exception) -> None:
        """A decode failed or was dropped. A partial is simply missed; a final keeps the words of its last partial."""
        if self._trial is not None and self._trial.pending.request is request:
            self._trial = None  # the end of the utterance will ask again
            return
        pending = self._settle(request)
        if pending is None or request.kind is DecodeKind.PARTIAL:
            return
        self._give_up(pending, error)
        self._emit_finals()

    def _set_endpoint(self, trial: _Trial) -> None:
        """How much silence ends the utterance, now that its words are known; speech that resumed makes them old."""
        if self._endpoint is not None and trial.speech_ms == self._vad.speech_ms:
            words = [word.text for word in trial.pending.utterance.words]
            self._vad.end_ms = max(_TAIL_MS, self._endpoint(words)) if words else self._endpoint_ms

    # ---- audio in

    def _take(self, audio: Audio) -> None:
        self._tape.append(audio)
        if self._endpoint is not None and self._vad.speech_ms != self._trial_speech_ms:
            self._vad.end_ms = self._endpoint_ms
        for edge in self._vad.push(audio):
            if edge.kind is EdgeKind.STARTED:
                self._open_utterance(edge)
            else:
                self._close_utterance(edge, (edge.edge_ms + _TAIL_MS) * SAMPLES_PER_MS)
        for found in self._health.push(audio, speaking=self._vad.speaking):
            flagged = AudioFlagged(call_id=self.call_id, at_ms=found.at_ms, finding=found.kind, message=found.message)
            self._events.append(flagged)
        if self._utterance is None:
            # the onset is sure only some frames after it began: they are kept besides the preroll
            self._drop_before(self._tape.end - self._preroll - 200 * SAMPLES_PER_MS)
        else:
            self._cut_long_window(self._utterance)

    def _open_utterance(self, edge: VadEdge) -> None:
        onset = edge.edge_ms * SAMPLES_PER_MS
        start = _on_grid(max(onset - self._preroll, self._taken_to, self._tape.start + HOP_SAMPLES - 1))
        self._utterance = Utterance(edge.edge_ms, [self._segment(start)])
        self._decoded_to = onset
        self._partial_speech_ms = self._segment_speech_ms = self._vad.speech_ms - 1  # its first frames count
        self._events.append(SpeechStarted(call_id=self.call_id, at_ms=edge.at_ms, start_ms=edge.edge_ms))

    def _close_utterance(self, edge: VadEdge, end: int) -> None:
        utterance = self._utterance
        if utterance is None:
            return
        self._utterance = None
        self._events.append(
            SpeechEnded(call_id=self.call_id, at_ms=self.at_ms, start_ms=utterance.start_ms, end_ms=edge.edge_ms)
        )
        self._close_segment(utterance, end)
        self._end(utterance, edge.edge_ms)

    def _close_segment(self, utterance: Utterance, end: int) -> None:
        """Its final decode is due; a segment in which nobody spoke (the rest of a pause) needs none."""
        segment = utterance.segments[-1]
        end = min(end, self._tape.end)
        segment.close(end // SAMPLES_PER_MS)
        if self._vad.speech_ms <= self._segment_speech_ms:
            segment.finish(None)
        elif self._trial is None or self._trial.speech_ms != self._vad.speech_ms:
            self._due.append(Pending(self._request(self.final_kind, segment, end), segment, utterance))
        elif self._trial.transcript is not None:
            segment.finish(self._trial.transcript)
        else:
            self._finals[self._trial.pending.request] = self._trial.pending
        self._trial = None
        self._taken_to = end
        self._drop_before(end - self._preroll)
        if len(self._due) > _MAX_DUE:
            self._give_up(self._due.popleft(), RecognizerOverloaded(f"more than {_MAX_DUE} final decodes are waiting"))

    def _end(self, utterance: Utterance, end_ms: int) -> None:
        utterance.end_ms = end_ms
        self._closing.append(utterance)
        self._emit_finals()

    def _cut_long_window(self, utterance: Utterance) -> None:
        window = self._tape.end - utterance.segments[-1].start
        silence_ms = self._vad.silence_ms
        if window >= _PAUSE_WINDOW_S * RATE_HZ and silence_ms >= _PAUSE_MS:
            self._cut(utterance, self._tape.end - silence_ms * SAMPLES_PER_MS // 2)
        elif window >= self._max_window:
            self._cut(utterance, self._quietest_spot(utterance.segments[-1]))

    def _cut(self, utterance: Utterance, at: int) -> None:
        """Close the segment at sample ``at`` and go on with a new one, in a new utterance if this one is too long."""
        at = _on_grid(at)
        self._close_segment(utterance, at)
        voiced_to = self._tape.end - self._vad.silence_ms * SAMPLES_PER_MS
        self._segment_speech_ms = self._vad.speech_ms - (1 if at < voiced_to else 0)
        at_ms = at // SAMPLES_PER_MS
        if at_ms - utterance.start_ms < _MAX_UTTERANCE_S * 1000:
            utterance.segments.append(self._segment(at))
            return
        self._end(utterance, at_ms)
        self._utterance = Utterance(at_ms, [self._segment(at)])

    def _quietest_spot(self, segment: Segment) -> int:
        """The middle of the quietest 60 ms of the last seconds, after the words that are committed already."""
        committed = segment.policy.committed
        start = max(
            self._tape.end - _CUT_SEARCH_MS * SAMPLES_PER_MS,
            committed[-1].end_ms * SAMPLES_PER_MS if committed else 0,
        )
        end = self._tape.end - _CUT_SPOT_MS * SAMPLES_PER_MS  # the newest samples may be the beginning of a word
        start = min(start, end - _CUT_SPOT_MS * SAMPLES_PER_MS)
        return start + quietest_sample(self._tape.cut(start, end), block_ms=_CUT_SPOT_MS)

    # ---- decodes out and back

    def _wants_partial(self) -> bool:
        if not self.partials or self._partial is not None or self._utterance is None:
            return False
        if self._vad.silence_ms > _PAUSE_MS:  # the trial comes soon
            return False
        spoken = self._vad.speech_ms > max(self._partial_speech_ms, self._segment_speech_ms)
        return spoken and self._tape.end - self._decoded_to >= self._hop * self.stretch

    def _wants_trial(self) -> bool:
        """Whether the speaker has been silent so long that the utterance may have ended, and this was not tried yet."""
        if not self.partials or self._vad.silence_ms < _TAIL_MS or self._vad.speech_ms <= self._segment_speech_ms:
            return False
        return self._trial_speech_ms != self._vad.speech_ms

    def _begin_trial(self, utterance: Utterance, segment: Segment) -> DecodeRequest:
        self._trial_speech_ms = self._vad.speech_ms
        end = (self._vad.at_ms - self._vad.silence_ms + _TAIL_MS) * SAMPLES_PER_MS
        request = self._request(DecodeKind.FINAL, segment, end)
        self._trial = _Trial(Pending(request, segment, utterance), self._vad.speech_ms)
        self._partial = None  # one that is still in flight heard less
        return request

    def _hear(self, pending: Pending, transcript: Transcript, *, whole: bool) -> None:
        request = pending.request
        self._learn_language(request, transcript)
        heard_to_ms = request.start_ms + request.duration_ms
        pending.segment.hear(transcript, heard_to_ms=heard_to_ms)
        self._show(pending.utterance, heard_to_ms, whole=whole)

    def _begin_partial(self, request: DecodeRequest, segment: Segment, utterance: Utterance) -> DecodeRequest:
        self._decoded_to = self._tape.end
        self._partial_speech_ms = self._vad.speech_ms
        self._partial = Pending(request, segment, utterance)
        return request

    def _request(self, kind: DecodeKind, segment: Segment, end: int) -> DecodeRequest:
        return DecodeRequest(
            self.call_id,
            kind,
            self._tape.cut(segment.start, end),
            start_ms=segment.start // SAMPLES_PER_MS,
            language=self.language,
            task=self.task,
            prompt=self.prompt,
            hotwords=self.hotwords,
            expected=self.expected if self.partials and kind is DecodeKind.FINAL else (),
            mel=self._mel.rows(self._tape, segment.start, end) if self._mel is not None else None,
        )

    def _segment(self, start: int) -> Segment:
        return Segment(start, new_policy(self._policy))

    def _learn_language(self, request: DecodeRequest, transcript: Transcript) -> None:
        """Keep the language that was detected, from the first words that are sure of it."""
        if request.language == DETECT and transcript.text and transcript.language_prob >= _SURE_LANGUAGE:
            self.language = transcript.language

    def _drop_before(self, sample: int) -> None:
        self._tape.drop_before(sample - HOP_SAMPLES)  # a frame hears 12.5 ms around its middle
        if self._mel is not None:
            self._mel.drop_before(sample)

    def _settle(self, request: DecodeRequest) -> Pending | None:
        if self._partial is not None and self._partial.request is request:
            pending, self._partial = self._partial, None
            return pending
        return self._finals.pop(request, None)

    def _give_up(self, pending: Pending, error: Exception) -> None:
        pending.segment.finish(None)
        self._events.append(
            StreamFailed(call_id=self.call_id, at_ms=self.at_ms, error=type(error).__name__, message=str(error))
        )

    def _show(self, utterance: Utterance, heard_ms: int, *, whole: bool) -> None:
        """A Partial, when there is something new to show of the utterance that goes on.

        ``whole``: no word is cut off at the end of what was heard.
        """
        words = utterance.words if whole else presentable(utterance.words, heard_ms=heard_ms)
        if utterance is not self._utterance or not self.partials or words == utterance.shown:
            return
        utterance.shown = words
        self._events.append(
            Partial(
                call_id=self.call_id,
                at_ms=heard_ms,
                text=join_words(words),
                words=words,
                start_ms=utterance.start_ms,
            )
        )

    def _emit_finals(self) -> None:
        while self._closing and self._closing[0].done:
            utterance = self._closing.popleft()
            words = utterance.final_words()
            self._events.append(
                Final(
                    call_id=self.call_id,
                    at_ms=self.at_ms,
                    text=join_words(words),
                    words=words,
                    start_ms=utterance.start_ms,
                    end_ms=utterance.end_ms or utterance.start_ms,
                    suppressed=utterance.suppressed,
                    alternatives=utterance.alternatives,
                )
            )


def _on_grid(sample: int) -> int:
    """A segment begins where a frame of features does."""
    return sample - sample % HOP_SAMPLES
