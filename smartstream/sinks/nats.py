"""The NATS sink: events as CloudEvents in JetStream, each id once, none lost."""

from __future__ import annotations

import asyncio
import os
import secrets
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Final, Self, TypeVar

import msgspec
from bytewax.outputs import StatefulSinkPartition

from smartstream.brokers.nats_access import NatsAccess, connect, quiet
from smartstream.config.site import Site
from smartstream.errors import DataLossError, InvalidInputError, UnavailableError
from smartstream.model.event import CloudEvent, nats_subject
from smartstream.model.state import check_version
from smartstream.observe.logging import get_logger
from smartstream.observe.metrics import count_dead_letter
from smartstream.sinks.dead_letters import Thinner, Thinning, refused_event
from smartstream.sinks.nats_outbox import Mark, Outbox, Outgoing, Position
from smartstream.sinks.nats_streams import DEFAULT_LIMITS, StreamLimits, ensure_streams, stream_of
from smartstream.sinks.one_partition import OnePartitionSink

T = TypeVar("T")
_VERSION: Final = 1
_log = get_logger("nats")


class _State(msgspec.Struct, frozen=True):
    position: dict[str, Mark]
    thinning: Thinning


class _Journal(msgspec.Struct, frozen=True):
    """What is known of a run before its first commit.

    Attributes:
        name: Of its publisher.
        position: Where the streams stood when it began.
    """

    name: str
    position: Position


def prepare(access: NatsAccess, limits: StreamLimits = DEFAULT_LIMITS) -> None:
    """Make sure before a run that the server answers and the streams are there.

    Raises:
        InvalidInputError: They are not; says why.
    """

    async def check() -> None:
        nc = await connect(access)
        try:
            await ensure_streams(nc.jetstream(timeout=5), limits)
        finally:
            await nc.close()

    try:
        asyncio.run(check())
    except UnavailableError as e:
        raise InvalidInputError(str(e)) from e


class NatsSink(OnePartitionSink[CloudEvent, bytes]):
    """Publishes ``(key, CloudEvent)`` items to JetStream and commits an epoch only when all are acknowledged.

    Args:
        access: The server.
        province: Second token of every subject.
        ward: Third token; None for ``_``.
        limits: Of the streams.
        journal: A file beside the recovery data. It keeps the publisher's name, and where a run began for one that
            was killed before its first commit; without it such a run relies on the server's duplicate window.
        patience_s: How long the server may be away before the flow fails; nothing commits meanwhile.
    """

    def __init__(
        self,
        access: NatsAccess,
        *,
        province: str,
        ward: str | None,
        limits: StreamLimits = DEFAULT_LIMITS,
        journal: Path | None = None,
        patience_s: float = 60.0,
    ) -> None:
        self._access, self._province, self._ward = access, province, ward
        self._limits, self._journal, self._patience_s = limits, journal, patience_s

    @classmethod
    def of_site(cls, access: NatsAccess, site: Site, *, journal: Path | None = None) -> Self:
        """The sink of a site: its codes in the subjects, its retention for the streams."""
        return cls(
            access,
            province=site.site.province,
            ward=site.site.ward,
            limits=StreamLimits.of_site(site),
            journal=journal,
        )

    def build_part(self, step_id: str, for_part: str, resume_state: bytes | None) -> _Partition:
        """Connect; on resume, learn which of the events to come the streams already hold."""
        journal = self._read_journal()
        if resume_state is None:
            state = _State(journal.position, {})
        else:
            check_version("NATS sink", resume_state[0], _VERSION)
            state = msgspec.msgpack.decode(resume_state[1:], type=_State)
        return _Partition(self, state, journal.name)

    def message(self, event: CloudEvent) -> Outgoing:
        """An event as it goes out."""
        subject = nats_subject(event.type, province=self._province, ward=self._ward)
        return Outgoing(event.id, stream_of(event.type), subject, event.to_json())

    def outbox(self, name: str, position: Position | None, refused: Any) -> Outbox:
        """The publisher of a partition."""
        return Outbox(
            self._access,
            name=name,
            limits=self._limits,
            scope=f"ioc.{self._province}.{self._ward or '_'}.",
            position=position,
            patience_s=self._patience_s,
            refused=refused,
        )

    def began(self, name: str, position: Position) -> None:
        """Note who publishes, and where the streams stood when a run without a snapshot began."""
        if self._journal is not None and not self._journal.exists():
            new = self._journal.with_suffix(".new")
            with new.open("wb") as file:
                file.write(msgspec.json.encode(_Journal(name, position)))
                file.flush()
                os.fsync(file.fileno())
            new.replace(self._journal)

    def _read_journal(self) -> _Journal:
        if self._journal is None or not self._journal.exists():
            return _Journal(secrets.token_hex(8), {})
        try:
            return msgspec.json.decode(self._journal.read_bytes(), type=_Journal)
        except msgspec.DecodeError as e:
            raise DataLossError(f"{self._journal}: not written by this version; start anew with another folder") from e


class _Partition(StatefulSinkPartition[CloudEvent, bytes]):
    """The worker's side; the loop runs in a thread of its own, so that pings are answered between batches."""

    def __init__(self, sink: NatsSink, state: _State, name: str) -> None:
        self._sink = sink
        self._thinner = Thinner(state.thinning)
        self._refused: list[CloudEvent] = []
        self._offered = 0
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(quiet)
        threading.Thread(target=self._loop.run_forever, name="nats", daemon=True).start()
        self._outbox = self._call(self._build(name, sink.outbox(name, state.position or None, self._on_refused)))

    async def _build(self, name: str, outbox: Outbox) -> Outbox:
        position = await outbox.start()
        self._sink.began(name, position)
        return outbox

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def write_batch(self, values: list[CloudEvent]) -> None:
        self._offer([event for event in values if self._thinner.passes(event)])
        if self._offered - self._outbox.done > 2 * self._outbox.window:
            self._call(self._outbox.room())

    def _offer(self, events: list[CloudEvent]) -> None:
        """Hand over without waiting for the other thread, which would cost more than the publishing."""
        messages = [self._sink.message(event) for event in events]
        self._offered += len(messages)
        self._loop.call_soon_threadsafe(self._outbox.offer, messages)

    def snapshot(self) -> bytes:
        self._offer(self._thinner.close_epoch())
        position = self._call(self._outbox.settle())
        while self._refused:
            letters, self._refused = self._refused, []
            self._offer(letters)
            position = self._call(self._outbox.settle())
        return bytes([_VERSION]) + msgspec.msgpack.encode(_State(position, self._thinner.state()))

    def close(self) -> None:
        self._call(self._outbox.close())
        self._loop.call_soon_threadsafe(self._loop.stop)

    def _on_refused(self, message: Outgoing, reason: str) -> None:
        letter = refused_event(message.payload, reason)
        count_dead_letter(stage="sinks", reason="refused_by_nats", source=message.subject, detail=reason)
        if letter is not None:
            self._refused.append(letter)
