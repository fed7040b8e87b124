"""``smartstream tail``: events as they come, for people."""

from __future__ import annotations

import asyncio
import re
import signal
import sys
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click
import msgspec
from rich.console import Console

from smartstream.cli.broker import find_broker
from smartstream.config.site import Site, load_site
from smartstream.errors import UNREADABLE, InvalidInputError
from smartstream.model.event import CloudEvent
from smartstream.model.time import parse_instant
from smartstream.sinks.event_line import event_line
from smartstream.sinks.nats_follow import Follower, Start, full_subject

_VIETNAM: Final = timezone(timedelta(hours=7))
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


@click.command()
@click.argument("subject", default="ioc.>")
@click.option("--json", "as_json", is_flag=True, help="The events as they are, one JSON per line.")
@click.option("--site", "site_file", metavar="SITE.toml", type=Path, help="Find the broker from a site file.")
@click.option("--url", metavar="URL", help="A NATS server: nats://HOST:PORT or tls://HOST:PORT.")
@click.option("--all", "everything", is_flag=True, help="From the oldest event kept, then live.")
@click.option("--since", metavar="TIME", help="What came since: 10m, 2h, 1d, or an RFC 3339 instant; then live.")
@click.option("--count", type=click.IntRange(min=1), help="End after so many events.")
def tail(
    subject: str,
    as_json: bool,  # noqa: FBT001
    site_file: Path | None,
    url: str | None,
    everything: bool,  # noqa: FBT001
    since: str | None,
    count: int | None,
) -> None:
    """Print events as they come until Ctrl-C.

    SUBJECT is a NATS pattern (ioc.19.*.violation.>) or just its end (violation, violation.red_light). Without
    --site or --url the broker of the run on this machine is found; credentials for another come from the
    environment (SMARTSTREAM_NATS_USER and so on).
    """
    if subject.endswith(".toml"):
        site_file, subject = site_file or Path(subject), "ioc.>"
    if everything and since:
        raise InvalidInputError("--all and --since: expected one of them")
    start: Start = "all" if everything else _instant(since) if since else "new"
    site = load_site(site_file) if site_file else None
    console = Console(highlight=False, soft_wrap=True)
    notes = Console(stderr=True, highlight=False, soft_wrap=True)
    zone = _zone(site)
    left = count or -1

    def on_event(body: bytes) -> bool:
        nonlocal left
        if as_json:
            sys.stdout.buffer.write(body + b"\n")
            sys.stdout.buffer.flush()
        else:
            try:
                console.print(event_line(msgspec.json.decode(body, type=CloudEvent), zone))
            except UNREADABLE:
                console.print(f"not an event of ours: {body[:200]!r}")
        left -= 1
        return left != 0

    pattern = full_subject(subject)
    follower = Follower(
        lambda: find_broker(site, url),
        pattern,
        start=start,
        on_event=on_event,
        on_ready=lambda: notes.print(f"following {pattern} (Ctrl-C ends)", style="dim"),
        on_lost=lambda reason: notes.print(f"{reason}; waiting for the broker (Ctrl-C ends)", style="yellow"),
    )
    with suppress(BrokenPipeError):
        asyncio.run(_until_stopped(follower))


async def _until_stopped(follower: Follower) -> None:
    task, stop = asyncio.ensure_future(follower.run()), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    asked = asyncio.ensure_future(stop.wait())
    await asyncio.wait({task, asked}, return_when=asyncio.FIRST_COMPLETED)
    asked.cancel()
    while not task.done():  # a client that is connecting again may swallow one cancellation
        task.cancel()
        await asyncio.wait({task}, timeout=0.2)
    with suppress(asyncio.CancelledError):
        await task


def _instant(since: str) -> datetime:
    if match := re.fullmatch(r"([0-9]{1,18})([smhd])", since):
        with suppress(OverflowError):  # longer than years are counted
            return datetime.now(UTC) - timedelta(seconds=int(match[1]) * _UNITS[match[2]])
        return datetime.fromtimestamp(0, UTC)
    try:
        return datetime.fromtimestamp(parse_instant(since) / 1e9, UTC)
    except ValueError as e:
        raise InvalidInputError(f"--since {since}: expected 10m, 2h, 1d or an RFC 3339 instant") from e


def _zone(site: Site | None) -> tzinfo:
    try:
        return ZoneInfo(site.site.timezone) if site else _VIETNAM
    except ZoneInfoNotFoundError:
        return _VIETNAM
