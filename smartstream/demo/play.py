"""Plays the demo's clip through the real run and shows the events as a subscriber of the broker gets them."""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from pipelines.launch import Options, launch
from smartstream.brokers.nats_access import NatsAccess
from smartstream.demo import CLIP
from smartstream.errors import InvalidInputError, SmartstreamError
from smartstream.model.event import CloudEvent
from smartstream.sinks.ledger import Ledger
from smartstream.sinks.nats_follow import Follower
from smartstream.sinks.nats_server import find_server

_LAST_EVENTS_S: Final = 5.0
"""How long the subscriber may lag behind the end of the run."""

OnEvent = Callable[[CloudEvent], None]


class Played(msgspec.Struct, frozen=True):
    """What a demo run left.

    Attributes:
        site: The site file it ran on.
        events: Its event file.
        ledger: Its counts.
        received: Events that came over NATS; None where no server is installed.
        written: Events in the file.
    """

    site: Path
    events: Path
    ledger: Ledger
    received: int | None
    written: int


def unpack(folder: Path) -> Path:
    """Copy the clip to a folder of the user's and return its site file.

    Raises:
        InvalidInputError: The folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file in CLIP.iterdir():
            if file.is_file():
                shutil.copyfile(file, folder / file.name)
    except OSError as e:
        raise InvalidInputError(f"{folder}: the demo cannot write there: {e.strerror}") from e
    return folder / "site.toml"


def play(site: Path, *, speed: float | None, on_event: OnEvent) -> Played:
    """Run the site to its end; ``on_event`` gets every event once, as the subscriber receives it.

    Args:
        site: Site file of the clip.
        speed: Pace by event time; None is as fast as it goes.
        on_event: Called from another thread while the clip plays.

    Raises:
        SmartstreamError: The run failed.
    """
    folder = site.parent
    events, summary = folder / "events.ndjson", folder / "ledger.json"
    subscriber = _Subscriber(on_event) if _has_server() else None
    launch(
        Options(
            site=site,
            events=str(events),
            use_nats=subscriber is not None,
            summary=summary,
            speed=speed,
            record=folder / "record",
            quiet=True,
            on_ready=subscriber.start if subscriber else None,
        )
    )
    written = [msgspec.json.decode(line, type=CloudEvent) for line in events.read_bytes().splitlines()]
    received = subscriber.finish() if subscriber else None
    seen = subscriber.seen if subscriber else set()
    for event in written:
        if event.id not in seen:
            on_event(event)
    ledger = msgspec.json.decode(summary.read_bytes(), type=Ledger)
    return Played(site, events, ledger, received, len(written))


def _has_server() -> bool:
    try:
        find_server()
    except InvalidInputError:
        return False
    return True


class _Subscriber:
    """Follows the broker of the run in a thread of its own, as `smartstream tail` would from outside."""

    def __init__(self, on_event: OnEvent) -> None:
        self._on_event = on_event
        self._thread: threading.Thread | None = None
        self._loop = asyncio.new_event_loop()
        self._task: asyncio.Task[None] | None = None
        self.seen: set[str] = set()

    def start(self, access: NatsAccess | None) -> None:
        """Called by the run when its broker listens."""
        if access is not None:
            self._thread = threading.Thread(target=self._follow, args=(access,), name="demo-subscriber", daemon=True)
            self._thread.start()

    def finish(self) -> int:
        """The run is over, its broker gone: how many events came."""
        if self._thread is not None:
            if self._task is not None:
                self._loop.call_soon_threadsafe(self._task.cancel)
            self._thread.join(_LAST_EVENTS_S)
        return len(self.seen)

    def _follow(self, access: NatsAccess) -> None:
        follower = Follower(lambda: access, "ioc.>", start="all", on_event=self._take, on_lost=lambda _reason: None)
        with suppress(SmartstreamError, asyncio.CancelledError):  # what is missed is told from the event file
            self._loop.run_until_complete(self._run(follower))
        left = asyncio.all_tasks(self._loop)
        for task in left:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        self._loop.close()

    async def _run(self, follower: Follower) -> None:
        self._task = asyncio.ensure_future(follower.run())
        await self._task

    def _take(self, body: bytes) -> bool:
        event = msgspec.json.decode(body, type=CloudEvent)
        if event.id not in self.seen:
            self.seen.add(event.id)
            self._on_event(event)
        return True
