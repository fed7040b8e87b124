"""A former connection of the same publisher: the server may still be reading what it sent.

A killed process, or one whose connection broke, leaves bytes behind: in the kernel's buffers, on a slow link, in a
server that was busy. What the streams hold is not final before the server has read them. It closes a connection after
its last byte, and with it ends what the connection subscribed to; so a subject that only this publisher subscribes to
tells when that has come: a request to it has "no responders".
"""

from __future__ import annotations

import time
from typing import Final

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg

from smartstream.observe.logging import get_logger

_ASK_S: Final = 0.1
_PATIENCE_S: Final = 5.0
"""A host that vanished without closing its connection is kept for minutes; but then nothing more comes of it."""
_log = get_logger("nats")


async def stand(nc: Client, name: str) -> None:
    """Be there until the server has read everything of this connection.

    Any request that is answered before the first publication makes sure of it.

    Args:
        nc: The connection.
        name: Of the publisher, the same in each of its connections, nobody else's.
    """
    await nc.subscribe(_subject(name), cb=_silent)


async def wait_for_former(nc: Client, name: str) -> None:
    """Return when no former connection of a publisher is left, or when patience ends, with a warning."""
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        try:
            await nc.request(_subject(name), timeout=_ASK_S)
        except nats.errors.NoRespondersError:
            return
        except nats.errors.TimeoutError:
            if "permissions violation" in str(nc.last_error).lower():
                break
    _log.warning(
        "a former connection to the NATS server is still open there: subscribers without JetStream may see events "
        "twice",
        why=str(nc.last_error or "no answer"),
    )


def _subject(name: str) -> str:
    return f"_INBOX.smartstream.{name}"


async def _silent(_: Msg) -> None:
    """Being there is all."""
