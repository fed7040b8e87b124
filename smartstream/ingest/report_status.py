"""What the engine has last said about each report, followed from its own events: for citizens who ask."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from contextlib import suppress
from typing import Final

import msgspec
import nats.errors
from nats.aio.msg import Msg
from nats.js.api import ConsumerConfig, DeliverPolicy
from nats.js.errors import Error as JetStreamError

from smartstream.brokers.nats_access import NatsAccess, connect, lost
from smartstream.errors import UNREADABLE, SmartstreamError

_MOST: Final = 200_000
_PAUSE_S: Final = 1.0
_EVENTS: Final = "IOC_EVENTS"
_SUBJECT: Final = "ioc.*.*.report.received.observed"


class _Data(msgspec.Struct):
    report: str
    status: str
    revision: int


class _Event(msgspec.Struct):
    source: str
    data: _Data


class StatusBoard:
    """Status by report id of the newest reports of a site; a report that nobody has spoken of has none.

    Args:
        access: The server that events go to.
        site: Whose reports.
    """

    def __init__(self, access: NatsAccess, site: str) -> None:
        self._access, self._ours = access, f"/smartstream/{site}/"
        self._known: OrderedDict[str, tuple[int, str]] = OrderedDict()
        self._seq = 0
        self._created = ""

    def __call__(self, report: str) -> str | None:
        """The status last said."""
        known = self._known.get(report)
        return None if known is None else known[1]

    async def follow(self) -> None:
        """For ever, over restarts of the server."""
        while True:
            with suppress(SmartstreamError, nats.errors.Error, JetStreamError, TimeoutError, OSError):
                nc = await connect(self._access)
                try:
                    js = nc.jetstream(timeout=5)
                    created = str((await js.stream_info(_EVENTS)).created)
                    if created != self._created:
                        self._created, self._seq = created, 0
                    start = ConsumerConfig(deliver_policy=DeliverPolicy.BY_START_SEQUENCE, opt_start_seq=self._seq + 1)
                    await js.subscribe(_SUBJECT, stream=_EVENTS, ordered_consumer=True, config=start, cb=self._hear)
                    await lost(nc)
                finally:
                    await nc.close()
            await asyncio.sleep(_PAUSE_S)

    async def _hear(self, msg: Msg) -> None:
        self._seq = max(self._seq, msg.metadata.sequence.stream)
        try:
            event = msgspec.json.decode(msg.data, type=_Event)
        except UNREADABLE:
            return
        data = event.data
        if event.source.startswith(self._ours) and data.revision >= self._known.get(data.report, (-1, ""))[0]:
            self._known[data.report] = (data.revision, data.status)
            self._known.move_to_end(data.report)
            if len(self._known) > _MOST:
                self._known.popitem(last=False)
