"""Input logs: a JetStream stream for each live feed, so that it can be read again from any position.

What comes in by a subject, by MQTT or by HTTP stands in a stream before it is acknowledged to anybody; the stream's
sequence number is the feed's position. A subject that another stream already keeps is read from that one.
"""

from __future__ import annotations

import asyncio
import re
import time
from hashlib import blake2b
from typing import Any, Final, NamedTuple

import msgspec
import nats.errors
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import DiscardPolicy, StorageType, StreamConfig, StreamInfo
from nats.js.errors import APIError, NotFoundError, ServiceUnavailableError

from smartstream.brokers.nats_access import NO_STORAGE, OVERLAP, NatsAccess, connect
from smartstream.brokers.subjects import covers
from smartstream.errors import InvalidInputError, SmartstreamError, UnavailableError
from smartstream.observe.logging import get_logger

_PREFIX: Final = "ioc-in"
_KEEP_S: Final = 7 * 86_400.0
_MAX_BYTES: Final = 1 << 30
_SMALLEST: Final = 16 << 20
_WINDOW_S: Final = 600.0  # a client that got no answer tries again within minutes
_TAKEN: Final = 10071
_PAUSE_S: Final = 0.2
_log = get_logger("input_log")


class TakenError(SmartstreamError):
    """The log already holds a message of this subject."""


class InputLog(msgspec.Struct, frozen=True):
    """Where a live feed's lines are kept.

    Attributes:
        stream: Name of the JetStream stream.
        lines: Subjects of its lines, a pattern.
        marks: Subject of what the engine itself notes between the lines; empty in a stream of somebody else.
    """

    stream: str
    lines: str
    marks: str

    def line_subject(self, name: str) -> str:
        """Subject of one line, in a log with a subject for each."""
        return f"{self.lines.removesuffix('>')}{name}"


def subject_log(subject: str) -> InputLog:
    """The log of a NATS subject that no stream keeps yet."""
    return InputLog(_stream_name(subject), subject, f"{_PREFIX}.{_digest(subject)}.marks")


def door_log(site: str, url: str) -> InputLog:
    """The log of what a site takes in at an address (MQTT, HTTP)."""
    name = f"{site} {url}"
    return InputLog(_stream_name(name), f"{_PREFIX}.{_digest(name)}.lines.>", f"{_PREFIX}.{_digest(name)}.marks")


def _digest(name: str) -> str:
    return blake2b(name.encode(), digest_size=6).hexdigest()


def _stream_name(name: str) -> str:
    words = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_")[:40]
    return f"IOC_IN_{words}_{_digest(name)}"


async def open_log(js: JetStreamContext, log: InputLog) -> InputLog:
    """Make sure that a log is kept; the one to read, which may be somebody else's stream.

    Raises:
        InvalidInputError: It cannot be kept: says why.
        UnavailableError: The server does not answer.
    """
    try:
        try:
            await js.stream_info(log.stream)
        except NotFoundError:
            keeper = await _keeper(js, log.lines)
            if keeper is not None:
                return InputLog(keeper, log.lines, "")
            await _create(js, log)
    except (ServiceUnavailableError, nats.errors.NoRespondersError) as e:
        raise InvalidInputError("the NATS server runs without JetStream: what comes in could not be kept") from e
    except APIError as e:
        if e.err_code == OVERLAP:
            raise InvalidInputError(f"{log.lines}: another stream keeps a part of these subjects") from e
        raise InvalidInputError(f"{log.lines}: cannot be kept: {e.description}") from e
    except (nats.errors.Error, TimeoutError) as e:
        raise UnavailableError(f"{log.lines}: {e or 'no answer from the NATS server'}") from e
    return log


async def _keeper(js: JetStreamContext, lines: str) -> str | None:
    """The stream that already keeps these subjects."""
    try:
        name = await js.find_stream_name_by_subject(lines)
    except NotFoundError:
        return None
    info = await js.stream_info(name)
    return name if any(covers(wide, lines) for wide in info.config.subjects or []) else None


async def _create(js: JetStreamContext, log: InputLog) -> StreamInfo:
    """As large as the disk allows, if that is less than wished."""
    max_bytes = _MAX_BYTES
    while True:
        config = StreamConfig(
            name=log.stream,
            description="input log of smartstream",
            subjects=[log.lines, log.marks],
            storage=StorageType.FILE,
            discard=DiscardPolicy.OLD,
            max_bytes=max_bytes,
            max_age=_KEEP_S,
            duplicate_window=_WINDOW_S,
        )
        try:
            return await js.add_stream(config)
        except APIError as e:
            if e.err_code not in NO_STORAGE or max_bytes < _SMALLEST:
                raise
        max_bytes //= 2
        _log.warning("input log gets less room: the disk is nearly full", stream=log.stream, bytes=max_bytes)


async def check_log(access: NatsAccess, log: InputLog) -> InputLog:
    """``open_log`` on a connection of its own."""
    nc = await connect(access)
    try:
        return await open_log(nc.jetstream(timeout=5), log)
    finally:
        await nc.close()


class Stored(NamedTuple):
    """Where a message stands.

    Attributes:
        seq: Its sequence number, or that of the first one of its id.
        duplicate: One of its id was there before.
        retried: An attempt of this call had no answer: the first one may be its own.
    """

    seq: int
    duplicate: bool
    retried: bool


class LogWriter:
    """Appends to input logs; when it returns, the server has the message. Outlives restarts of the server.

    Args:
        access: The server.
        patience_s: How long an append may take before it gives up.
    """

    def __init__(self, access: NatsAccess, *, patience_s: float = 5.0) -> None:
        self._access, self._patience = access, patience_s
        self._nc: Client | None = None
        self._js: JetStreamContext | None = None
        self._connecting = asyncio.Lock()

    async def append(self, subject: str, payload: bytes, *, msg_id: str | None = None, only: bool = False) -> Stored:
        """Store one message.

        Args:
            subject: One that a log takes.
            payload: The line.
            msg_id: A second message of the same id within ten minutes is not stored; the answer says so.
            only: Refuse when the log holds any message of this subject.

        Raises:
            TakenError: ``only``, and there is one.
            UnavailableError: Not stored within the patience; it may have been all the same.
        """
        headers: dict[str, str] = {} if msg_id is None else {"Nats-Msg-Id": msg_id}
        if only:
            headers["Nats-Expected-Last-Subject-Sequence"] = "0"
        deadline = time.monotonic() + self._patience
        unanswered = False  # it may have been stored all the same
        while True:
            why: object
            try:
                js = await self.jetstream()
                ack = await js.publish(subject, payload, timeout=min(2.0, self._patience), headers=headers or None)
            except APIError as e:
                if e.err_code == _TAKEN:
                    raise TakenError(subject) from None
                why = e.description
            except (nats.errors.Error, UnavailableError, TimeoutError, OSError) as e:
                why, unanswered = e or "no answer", True
            else:
                return Stored(ack.seq, duplicate=bool(ack.duplicate), retried=unanswered)
            if time.monotonic() > deadline:
                raise UnavailableError(f"not stored: {why}")
            await asyncio.sleep(_PAUSE_S)

    async def jetstream(self) -> JetStreamContext:
        """On a connection that stands.

        Raises:
            UnavailableError: Nobody answers.
        """
        async with self._connecting:
            if self._nc is None or self._js is None or not self._nc.is_connected:
                await self.close()
                self._nc = await connect(self._access)
                self._js = self._nc.jetstream(timeout=2)
            return self._js

    async def close(self) -> None:
        """Close the connection; an append opens it again."""
        nc, self._nc, self._js = self._nc, None, None
        if nc is not None:
            await nc.close()


class Mark(msgspec.Struct, frozen=True, tag=True, omit_defaults=True):
    """What the engine notes between the lines of a log, so that whoever reads it again decides alike.

    Attributes:
        silent_ns: The feed has been silent for so long, less the time that it may be.
        until_ns: By the clock of who notes it, UTC: for a feed that has not said any time yet.
        verb: ``opened`` or ``closed``: the way into the log broke, or stands again.
        detail: Why.
    """

    silent_ns: int = 0
    until_ns: int = 0
    verb: str = ""
    detail: str = ""


def encode_mark(mark: Mark) -> bytes:
    """As it stands in a log."""
    return msgspec.json.encode(mark)


def decode_mark(data: bytes) -> Mark | None:
    """``None`` for what is none."""
    try:
        return msgspec.json.decode(data, type=Mark)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def consumer_place(log: InputLog) -> dict[str, Any]:
    """How to subscribe to a log: everything of a stream of our own, lines and marks; else the lines."""
    return {"subject": "" if log.marks else log.lines, "stream": log.stream}
