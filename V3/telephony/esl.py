"""The one door to FreeSWITCH: its event socket, awaited from asyncio.

greenswitch runs on gevent in a thread of its own (see esl_link.py); nothing else in the house knows either.

Rules kept here:

- A command is sent at most once. When its answer does not come, the error says ``outcome_unknown`` and the caller
  asks FreeSWITCH (``uuid_exists``, ``show channels``) before deciding anything.
- A lost connection fails at once all that waits on it; a new one is made with back-off and subscribes again.
- Slow commands (those FreeSWITCH answers late, holding that connection's events back) take a second connection.
- Every wait ends: by an answer, by a time-out or by the end of the connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import uuid as uuids
from collections import deque
from collections.abc import Callable
from typing import Any

import gevent
import gevent.event

from V3.errors import EslConnectionLost, EslError, EslNotConnected, EslProtocolError, EslTimeout
from V3.telephony.codec import EslEvent, EslMessage
from V3.telephony.commands import checked_command, ok_or_raise
from V3.telephony.esl_link import DEFAULT_EVENTS, EslSettings, SafeInboundESL

__all__ = ["DEFAULT_EVENTS", "EslClient", "EslSettings", "SafeInboundESL"]

log = logging.getLogger(__name__)

JOBS_FILTER = "filter Event-Name BACKGROUND_JOB"
LINKS = ("events", "slow")


class _Reply:
    """An asyncio future that greenlets resolve."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.future: asyncio.Future[EslMessage] = loop.create_future()
        self.abandoned = False

    def set(self, value: EslMessage) -> None:
        _post(self._loop, self._settle, value, None)

    def set_exception(self, exception: BaseException) -> None:
        _post(self._loop, self._settle, None, exception)

    def _settle(self, value: EslMessage | None, exception: BaseException | None) -> None:
        if self.future.done():
            return
        if exception is not None:
            self.future.set_exception(exception)
        elif value is not None:
            self.future.set_result(value)


class EslClient:
    """FreeSWITCH for asyncio: ``api``, ``bgapi``, ``message``, events by channel, reconnects.

    Used from one event loop. ``on_connection`` callbacks get True when both connections are up (again) and False
    when one is lost.
    """

    def __init__(self, settings: EslSettings | None = None) -> None:
        self.settings = settings or EslSettings()
        self.reconnects = 0
        self.protocol_errors: deque[EslProtocolError] = deque(maxlen=100)
        self.on_connection: list[Callable[[bool], None]] = []
        self.on_event: list[Callable[[EslEvent], None]] = []
        self._mailboxes: dict[str, Callable[[EslEvent], None]] = {}
        self._jobs: dict[str, asyncio.Future[str]] = {}
        self._filters: list[str] = []
        self._links: dict[str, SafeInboundESL] = {}
        self._up: dict[str, bool] = {}
        self._hub: Any = None  # gevent's, of the thread; only under the lock, for it is destroyed at the end
        self._hub_lock = threading.Lock()
        self._stopping: Any = None  # a gevent event, made in the thread
        self._started = threading.Event()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ready: asyncio.Event = asyncio.Event()
        self._first: asyncio.Future[None] | None = None

    @property
    def connected(self) -> bool:
        return self._ready.is_set()

    async def connect(self) -> None:
        """Start the thread and connect. Raises the first EslError; afterwards reconnecting is automatic."""
        if self._thread is not None:
            raise EslError("this client is connected already")
        self._loop = asyncio.get_running_loop()
        self._first = self._loop.create_future()
        self._up = dict.fromkeys(LINKS, False)
        self._started.clear()
        self._thread = threading.Thread(target=self._run, name="esl", daemon=True)
        self._thread.start()
        try:
            await asyncio.to_thread(self._started.wait)
            async with asyncio.timeout(3 * self.settings.connect_timeout_s + self.settings.reply_timeout_s):
                await self._first
        except BaseException as exc:
            await self.close()
            if isinstance(exc, TimeoutError):
                raise EslTimeout("FreeSWITCH took too long to let us in") from exc
            raise

    async def close(self) -> None:
        """Close both connections and end the thread. Safe to call twice."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._ready.clear()
        await asyncio.to_thread(self._started.wait)
        self._in_thread(self._stopping.set)
        await asyncio.to_thread(thread.join, 5.0)
        if thread.is_alive():
            log.error("the ESL thread did not end within 5 s")
        self._fail_jobs("closed by us")

    async def __aenter__(self) -> EslClient:
        await self.connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def wait_connected(self, timeout_s: float) -> None:
        """Wait until both connections are up. Raises EslNotConnected when they are not within ``timeout_s``."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._ready.wait()
        except TimeoutError as exc:
            raise EslNotConnected(f"no connection to FreeSWITCH for {timeout_s:g} s") from exc

    async def api(self, command: str, *, timeout_s: float | None = None, slow: bool = False) -> str:
        """Run ``api command`` and return its body. ``slow``: on the second connection, events are not held back."""
        return (await self._roundtrip(checked_command(f"api {command}"), timeout_s=timeout_s, slow=slow)).reply

    async def message(self, text: str, *, timeout_s: float | None = None) -> str:
        """Send a ``sendmsg`` block (see commands.execute) and return its Reply-Text. Raises EslCommandFailed."""
        reply = (await self._roundtrip(checked_command(text, block=True), timeout_s=timeout_s)).reply
        return ok_or_raise("sendmsg", reply)

    async def bgapi(self, command: str, *, timeout_s: float) -> str:
        """Run ``bgapi command`` and return what its BACKGROUND_JOB brings within ``timeout_s``."""
        text = checked_command(f"bgapi {command}")
        job = str(uuids.uuid4())
        result: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._jobs[job] = result
        try:
            ok_or_raise("bgapi", (await self._roundtrip(f"{text}\nJob-UUID: {job}", timeout_s=None)).reply)
            async with asyncio.timeout(timeout_s):
                return await result
        except TimeoutError as exc:
            raise EslTimeout(f"no result of {command.split(' ', 1)[0]} within {timeout_s:g} s") from exc
        finally:
            self._jobs.pop(job, None)
            if result.done() and not result.cancelled():
                result.exception()  # seen, even when the round trip failed first

    def listen(self, uuid: str, handler: Callable[[EslEvent], None]) -> Callable[[], None]:
        """Hand every event of one channel to ``handler`` (on the event loop); returns what ends that."""
        self._mailboxes[uuid] = handler

        def unsubscribe() -> None:
            if self._mailboxes.get(uuid) is handler:  # not one that came after it
                del self._mailboxes[uuid]

        return unsubscribe

    async def filter(self, header: str, value: str) -> None:
        """Let only events pass whose ``header`` is ``value``, or that of another ``filter``; kept over reconnects.

        The results of ``bgapi`` pass always: FreeSWITCH would hold them back too.
        """
        for line in (checked_command(f"filter {header} {value}"), JOBS_FILTER):
            if line not in self._filters:
                ok_or_raise("filter", (await self._roundtrip(line, timeout_s=None)).reply)
                self._filters.append(line)

    async def _roundtrip(self, text: str, *, timeout_s: float | None, slow: bool = False) -> EslMessage:
        if self._thread is None or self._loop is None:
            raise EslNotConnected("not sent: this client is not connected")
        link = self._links["slow" if slow else "events"]
        reply = _Reply(self._loop)
        if not self._in_thread(link.submit, text, reply):
            raise EslNotConnected("not sent: this client is being closed")
        wait_s = timeout_s or self.settings.reply_timeout_s
        try:
            async with asyncio.timeout(wait_s):
                return await reply.future
        except TimeoutError as exc:
            words = text.split("\n", 1)[0].split(" ")[:2]
            raise EslTimeout(f"no reply to {' '.join(words)} within {wait_s:g} s") from exc
        finally:
            reply.abandoned = True

    # In the gevent thread.

    def _run(self) -> None:
        hub = gevent.get_hub()
        self._stopping = gevent.event.Event()
        self._links = {
            "events": SafeInboundESL(
                self.settings, deliver=self._deliver, lost=lambda why: self._is_lost("events", why)
            ),
            "slow": SafeInboundESL(
                self.settings, deliver=lambda _event: None, lost=lambda why: self._is_lost("slow", why)
            ),
        }
        with self._hub_lock:
            self._hub = hub
        self._started.set()
        keepers = [gevent.spawn(self._keep, name) for name in self._links]
        self._stopping.wait()
        for link in self._links.values():
            link.stop()
        gevent.joinall(keepers, timeout=1.0)
        gevent.killall(keepers, timeout=1.0)
        for link in self._links.values():
            link.drop("closed by us")  # one whose keeper was just connecting
            link.finish(timeout_s=1.0)
        with self._hub_lock:
            self._hub = None
        gevent.sleep(0)  # commands already handed over learn that nothing is connected
        hub.destroy(destroy_loop=True)

    def _keep(self, name: str) -> None:
        """Keep one connection up: connect, subscribe, watch; again with back-off when it is lost."""
        link, delay_s = self._links[name], self.settings.backoff_min_s
        while not self._stopping.is_set():
            try:
                link.connect()
                if name == "events":
                    self._subscribe(link)
                if not link.connected:
                    raise EslNotConnected(link.reason)
                link.open = True
            except EslError as exc:
                link.drop(str(exc))
                self._announce(name, exc)
            else:
                self._announce(name, None)
                delay_s = self.settings.backoff_min_s
                self._watch(link)
            self.protocol_errors.extend(link.decoder.errors)
            self._stopping.wait(delay_s)
            delay_s = min(2 * delay_s, self.settings.backoff_max_s)

    def _subscribe(self, link: SafeInboundESL) -> None:
        ok_or_raise("event", link.send("event plain " + " ".join(self.settings.events)).reply)
        for line in list(self._filters):
            ok_or_raise("filter", link.send(line).reply)

    def _watch(self, link: SafeInboundESL) -> None:
        """Wait until the connection ends; end it when it is silent and does not answer."""
        while not link.down.wait(self.settings.keepalive_s):
            if link.awaited:
                continue  # FreeSWITCH is silent while it carries out a slow command, whose caller has a time-out
            before = link.bytes_read
            try:
                link.send("api uuid_exists keepalive")
            except EslError as exc:
                if link.bytes_read == before:
                    link.drop(f"silent, and no answer: {exc}")

    def _is_lost(self, name: str, why: str) -> None:
        self._announce(name, EslConnectionLost(why))

    def _announce(self, name: str, error: EslError | None) -> None:
        if self._loop is not None:
            _post(self._loop, self._link_changed, name, error)

    def _deliver(self, event: EslEvent) -> None:
        if self._loop is not None:
            _post(self._loop, self._dispatch, event)

    # On the event loop.

    def _in_thread(self, function: Callable[..., object], *args: object) -> bool:
        with self._hub_lock:
            if self._hub is None:
                return False
            self._hub.loop.run_callback_threadsafe(function, *args)
            return True

    def _link_changed(self, name: str, error: EslError | None) -> None:
        if self._thread is None:
            return  # said before close(), heard after it
        self._up[name] = error is None
        first = self._first
        if error is not None:
            if first is not None and not first.done():
                first.set_exception(error)
            if name == "events":
                self._fail_jobs(str(error))
            if self._ready.is_set():
                self._ready.clear()
                log.warning("FreeSWITCH connection lost (%s): %s", name, error)
                self._tell(up=False)
        elif all(self._up.values()):
            if first is not None and not first.done():
                first.set_result(None)
            else:
                self.reconnects += 1
                log.info("FreeSWITCH is connected again")
            self._ready.set()
            self._tell(up=True)

    def _tell(self, *, up: bool) -> None:
        for callback in list(self.on_connection):
            _guarded(callback, up)

    def _dispatch(self, event: EslEvent) -> None:
        if event.name == "BACKGROUND_JOB":
            job = self._jobs.get(event["Job-UUID"])
            if job is not None and not job.done():
                job.set_result(event.text)
        for handler in (self._mailboxes.get(event.uuid), *self.on_event):
            if handler is not None:
                _guarded(handler, event)

    def _fail_jobs(self, why: str) -> None:
        for job in self._jobs.values():
            if not job.done():
                job.set_exception(EslConnectionLost(f"the connection ended before the result: {why}"))


def _guarded(callback: Callable[[Any], None], value: object) -> None:
    """Root of a callback: its fault is logged and does not hide ``value`` from the others."""
    try:
        callback(value)
    except Exception:
        log.exception("an ESL callback failed")


def _post(loop: asyncio.AbstractEventLoop, function: Callable[..., object], *args: object) -> None:
    with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
        loop.call_soon_threadsafe(function, *args)
