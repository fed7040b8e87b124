"""What lets lines in from outside (MQTT, HTTP) in a process of its own, beside the run.

A busy dataflow shall not make a citizen or a sensor wait, nor the other way round. The process stores what comes in
input logs and nothing else; it dies with its parent and is started again should it die first.

``python -m pipelines.doors PLAN PARENT`` is how the parent starts it.
"""

from __future__ import annotations

import asyncio
import resource
import select
import signal
import subprocess
import sys
import threading
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import msgspec

from pipelines.children import die_with_parent, listen, start
from pipelines.feeds import FeedTable, feed_log, live_feeds
from smartstream.brokers.input_log import LogWriter
from smartstream.brokers.nats_access import NatsAccess, quiet
from smartstream.config.feeds import ReportFeed
from smartstream.config.settings import settings
from smartstream.config.site import Site, load_site
from smartstream.errors import InvalidInputError, SmartstreamError, UnavailableError
from smartstream.ingest.intake import Intake
from smartstream.ingest.mqtt_door import MqttDoor
from smartstream.ingest.report_status import StatusBoard
from smartstream.observe.logging import configure, get_logger
from smartstream.streams.report_categories import CATEGORIES

_SCHEMES: Final = ("mqtt", "http")
_START_S: Final = 30.0
_STOP_S: Final = 10.0
_READY: Final = b"ready"
_log = get_logger("doors")


class DoorPlan(msgspec.Struct, frozen=True):
    """What the process needs to know.

    Attributes:
        site: Absolute path of the site file.
        inputs: Where the input logs are.
    """

    site: str
    inputs: NatsAccess


def has_doors(site: Site) -> bool:
    """Whether a site takes anything in by itself."""
    return any(site.address(feed.url).scheme in _SCHEMES for feed in live_feeds(site))


class Doors:
    """The process, from ``with`` to its end.

    Args:
        plan: What it needs to know.
        folder: Private folder of the run.

    Raises:
        InvalidInputError: A door cannot be opened; says which and why.
    """

    def __init__(self, plan: DoorPlan, folder: Path) -> None:
        self._path = folder / "doors.json"
        self._path.touch(mode=0o600)  # it holds the broker's password
        self._path.write_bytes(msgspec.json.encode(plan))
        self._stopping = threading.Event()
        self._decided = threading.Event()
        self._refused: SmartstreamError | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._keeper = threading.Thread(target=self._keep, name="doors", daemon=True)

    def __enter__(self) -> Self:
        self._keeper.start()  # the death signal of the child follows this thread, which lives as long as the run
        self._decided.wait()
        if self._refused is not None:
            raise self._refused
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        child = self._child
        if child is not None and child.poll() is None:
            child.terminate()
        self._keeper.join(_STOP_S)
        if self._keeper.is_alive() and child is not None:
            child.kill()
            self._keeper.join()

    def _keep(self) -> None:
        while not self._stopping.is_set():
            child = start("pipelines.doors", str(self._path), stdout=subprocess.PIPE)
            self._child = child
            said = _first_words(child)
            if not self._decided.is_set():
                if said != _READY:
                    child.kill()
                    child.wait()
                    self._refused = _refusal(said.decode("utf-8", "replace"))
                self._decided.set()
                if self._refused is not None:
                    return
            code = child.wait()
            if not self._stopping.is_set():
                _log.warning("the process of the doors died, starting it again", exit_code=code)
                self._stopping.wait(0.5)


def _first_words(child: subprocess.Popen[bytes]) -> bytes:
    assert child.stdout is not None
    ready, _, _ = select.select([child.stdout], [], [], _START_S)
    return child.stdout.readline().strip() if ready else b""


def _refusal(said: str) -> SmartstreamError:
    return InvalidInputError(said) if said else UnavailableError("the process of the doors does not come up")


async def _serve(plan: DoorPlan, site: Site) -> None:
    """Open every door, say so, and keep them open until told to stop."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    loop.set_exception_handler(quiet)
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    listen()
    async with AsyncExitStack() as stack:
        writer = LogWriter(plan.inputs)
        stack.push_async_callback(writer.close)
        statuses = StatusBoard(plan.inputs, site.site.id)
        following = loop.create_task(statuses.follow())
        stack.callback(following.cancel)
        for i, feed in enumerate(live_feeds(site)):
            door = _door(site, i, feed, writer, statuses)
            if door is not None:
                stack.push_async_callback(door.close)
                await door.open()
        _say(_READY.decode())
        await stop.wait()


def _door(site: Site, i: int, feed: FeedTable, writer: LogWriter, statuses: StatusBoard) -> MqttDoor | Intake | None:
    """The door of a feed, if it has one."""
    scheme = site.address(feed.url).scheme
    if scheme == "mqtt":
        credentials = settings()
        secret = credentials.mqtt_password
        return MqttDoor(
            feed.url,
            client_id=f"smartstream-{site.site.id}-{i}",
            log=feed_log(site, feed),
            writer=writer,
            user=credentials.mqtt_user,
            password=None if secret is None else secret.get_secret_value(),
        )
    if scheme == "http" and isinstance(feed, ReportFeed):
        return Intake(
            feed.url,
            site=site.site.id,
            log=feed_log(site, feed),
            writer=writer,
            services={category.id: category.name for category in CATEGORIES.values()},
            statuses=statuses,
            per_client=feed.per_client_per_min,
            behind_proxy=feed.behind_proxy,
        )
    return None


def _say(words: str) -> None:
    print(" ".join(words.split()), flush=True)


def main() -> None:
    """The process: dies with its parent, stops on SIGTERM."""
    die_with_parent()
    configure()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # every client is an open file
    plan = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=DoorPlan)
    try:
        asyncio.run(_serve(plan, load_site(plan.site)))
    except SmartstreamError as e:
        _say(str(e))
        sys.exit(1)


if __name__ == "__main__":
    main()
