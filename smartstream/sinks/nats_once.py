"""A few events of a person's command to JetStream, each acknowledged."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from nats.errors import Error as NatsError

from smartstream.brokers.nats_access import NatsAccess, connect
from smartstream.errors import UnavailableError
from smartstream.model.event import CloudEvent, nats_subject


def publish_once(
    access: NatsAccess, events: Sequence[CloudEvent], *, province: str, ward: str | None, later: str
) -> None:
    """Publish events under their ids; the server drops what it has already.

    Args:
        access: The server.
        events: The events.
        province: First token of their subjects.
        ward: Second one.
        later: What is to be done when the server does not take them.

    Raises:
        UnavailableError: The server or its stream does not take them; says why.
    """

    async def publish() -> None:
        nc = await connect(access)
        try:
            js = nc.jetstream(timeout=5)
            for event in events:
                subject = nats_subject(event.type, province=province, ward=ward)
                await js.publish(subject, event.to_json(), headers={"Nats-Msg-Id": event.id})
        finally:
            await nc.close()

    try:
        asyncio.run(publish())
    except (NatsError, OSError, UnavailableError) as e:
        raise UnavailableError(f"{access.shown}: not published ({e}); {later}") from e
