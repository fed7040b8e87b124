"""MQTT: a subscription whose messages stand in an input log before the broker hears that they arrived.

MQTT has no positions to resume from. So the session is kept by the broker (QoS 1, persistent), and a message is
acknowledged only when JetStream has it: what a kill cuts off before that, the broker sends again, flagged as such
and under the packet id it had; by that and its bytes it is known within ten minutes, and stored once.

What waits for the log is bounded: beyond that nothing is read from the broker, whose queue it then is. A payload longer
than any line is stored cut, so that the feed counts it as a dead letter.
"""

from __future__ import annotations

import asyncio
import threading
from hashlib import blake2b
from typing import Any, Final, NamedTuple

from smartstream.brokers.input_log import InputLog, LogWriter, Mark, Stored, encode_mark
from smartstream.errors import InvalidInputError, MissingExtraError, UnavailableError
from smartstream.ingest.lines import MAX_LINE
from smartstream.observe.logging import get_logger

_CONNECT_S: Final = 10.0
_KEEPALIVE_S: Final = 30
_SESSION_S: Final = 7 * 86_400
_IN_FLIGHT: Final = 256
_WAITING: Final = 2048
_log = get_logger("mqtt")


class _Message(NamedTuple):
    """What came; ``topic`` is empty for a note of ours, ``mid`` 0 where nobody waits for an acknowledgement."""

    topic: str
    payload: bytes
    mid: int = 0
    again: bool = False


class MqttAddress:
    """``mqtt://HOST[:PORT]/TOPIC``; the topic may hold ``+`` and ``#``.

    Raises:
        InvalidInputError: It is none.
    """

    def __init__(self, url: str) -> None:
        network, _, self.topic = url.removeprefix("mqtt://").partition("/")
        host, colon, port = network.rpartition(":")
        self.host = host if colon else port
        if not self.host or not self.topic or (colon and not port.isdecimal()) or "@" in network:
            raise InvalidInputError(f"{url}: expected mqtt://HOST:PORT/TOPIC, credentials from the environment")
        self.port = int(port) if colon else 1883


class MqttDoor:
    """One subscription, from ``open`` to ``close``.

    Args:
        url: Of the feed.
        client_id: The broker keeps the session under this name; one subscriber at a time.
        log: Where messages go.
        writer: Of the log.
        user: With ``password``.
        password: Of ``user``.

    Raises:
        InvalidInputError: The address cannot be read, or the extra ``mqtt`` is not installed.
    """

    def __init__(
        self,
        url: str,
        *,
        client_id: str,
        log: InputLog,
        writer: LogWriter,
        user: str | None = None,
        password: str | None = None,
    ) -> None:
        try:
            from paho.mqtt import client as paho
            from paho.mqtt.enums import CallbackAPIVersion
        except ImportError:
            raise MissingExtraError(url, "mqtt") from None
        self._address, self._url, self._stream, self._writer = MqttAddress(url), url, log, writer
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[_Message] = asyncio.Queue()
        self._ready: asyncio.Future[None] = self._loop.create_future()
        self._storing: asyncio.Task[None] | None = None
        self._connected = False
        self._room = threading.Semaphore(_WAITING)
        self._closing = threading.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id, protocol=paho.MQTTv5, manual_ack=True)
        self._client.reconnect_delay_set(1, 10)
        if user is not None:
            self._client.username_pw_set(user, password)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_disconnect = self._on_disconnect
        self._client.on_message = self._on_message

    async def open(self) -> None:
        """Connect and subscribe; later breaks are mended by the client.

        Raises:
            InvalidInputError: Nobody answers, or the subscription is refused.
        """
        from paho.mqtt.packettypes import PacketTypes
        from paho.mqtt.properties import Properties

        session = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        session.SessionExpiryInterval = _SESSION_S
        session.ReceiveMaximum = _IN_FLIGHT
        where = f"{self._address.host}:{self._address.port}"
        try:
            await asyncio.to_thread(
                self._client.connect,
                self._address.host,
                self._address.port,
                keepalive=_KEEPALIVE_S,
                clean_start=False,
                properties=session,
            )
            self._storing = self._loop.create_task(self._store())
            self._client.loop_start()
            await asyncio.wait_for(asyncio.shield(self._ready), _CONNECT_S)
        except TimeoutError:
            raise InvalidInputError(f"{self._url}: the MQTT broker at {where} does not answer") from None
        except OSError as e:
            raise InvalidInputError(f"{self._url}: no MQTT broker at {where}: {e.strerror or e}") from None

    async def close(self) -> None:
        """Leave; the broker keeps what comes meanwhile."""
        self._closing.set()
        if self._storing is not None:
            self._storing.cancel()
        await asyncio.to_thread(self._client.loop_stop)

    # The callbacks run in the client's thread.

    def _on_connect(self, _client: Any, _data: Any, flags: Any, reason: Any, _properties: Any) -> None:
        from paho.mqtt.subscribeoptions import SubscribeOptions

        if reason.is_failure:
            self._loop.call_soon_threadsafe(self._failed, f"the MQTT broker refuses: {reason}")
            return
        kept_last = SubscribeOptions(qos=1, retainHandling=SubscribeOptions.RETAIN_SEND_IF_NEW_SUB)
        self._client.subscribe(self._address.topic, options=kept_last)
        self._loop.call_soon_threadsafe(self._back, bool(flags.session_present))

    def _on_subscribe(self, _client: Any, _data: Any, _mid: int, reasons: list[Any], _properties: Any) -> None:
        refused = next((reason for reason in reasons if reason.is_failure), None)
        if refused is not None:
            self._loop.call_soon_threadsafe(self._failed, f"the MQTT broker refuses {self._address.topic}: {refused}")
        else:
            self._loop.call_soon_threadsafe(self._subscribed)

    def _on_disconnect(self, _client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        self._loop.call_soon_threadsafe(self._gone, str(reason))

    def _on_message(self, _client: Any, _data: Any, message: Any) -> None:
        while not self._room.acquire(timeout=0.2):
            if self._closing.is_set():
                return  # not acknowledged: it comes again
        found = _Message(
            message.topic, bytes(message.payload[:MAX_LINE]), message.mid if message.qos else 0, again=message.dup
        )
        self._loop.call_soon_threadsafe(self._queue.put_nowait, found)

    # From here on in the loop.

    def _subscribed(self) -> None:
        if not self._ready.done():
            self._ready.set_result(None)

    def _failed(self, why: str) -> None:
        if not self._ready.done():
            self._ready.set_exception(InvalidInputError(f"{self._url}: {why}"))
        _log.error("MQTT", url=self._url, why=why)

    def _gone(self, why: str) -> None:
        if self._connected:
            self._connected = False
            _log.warning("MQTT broker lost, trying on", url=self._url, why=why)
            self._note("opened", f"MQTT broker lost: {why}")

    def _back(self, session_kept: bool) -> None:  # noqa: FBT001
        again, self._connected = self._ready.done(), True
        if again and not session_kept:
            _log.error("the MQTT broker has lost the session: messages may be missing", url=self._url)
            self._note("opened", "the MQTT broker has lost the session: messages may be missing")
        if again:
            self._note("closed", "")

    def _note(self, verb: str, detail: str) -> None:
        self._queue.put_nowait(_Message("", encode_mark(Mark(verb=verb, detail=detail))))

    async def _store(self) -> None:
        """In order of arrival, a window at a time; acknowledged when stored, however long that takes."""
        subject = self._stream.line_subject("mqtt")
        while True:
            window = [await self._queue.get()]
            while not self._queue.empty() and len(window) < _IN_FLIGHT:
                window.append(self._queue.get_nowait())
            await asyncio.gather(*(self._store_one(subject, message) for message in window))

    async def _store_one(self, subject: str, message: _Message) -> None:
        if not message.topic:
            await self._append(self._stream.marks, message.payload, None)
            return
        words = f"{message.mid} {message.topic}\0".encode() + message.payload
        name = blake2b(words, digest_size=16).hexdigest() if message.mid else None
        stored = await self._append(subject, message.payload, name)
        if stored.duplicate and message.again:
            _log.info("MQTT message came again: already stored", topic=message.topic)
        elif stored.duplicate and not stored.retried:  # another one that happens to be the same
            await self._append(subject, message.payload, None)
        self._room.release()
        if message.mid:
            self._client.ack(message.mid, 1)

    async def _append(self, subject: str, payload: bytes, msg_id: str | None) -> Stored:
        """Store, however long that takes."""
        while True:
            try:
                return await self._writer.append(subject, payload, msg_id=msg_id)
            except UnavailableError as e:
                _log.warning("MQTT message waits for its input log", url=self._url, why=str(e))
