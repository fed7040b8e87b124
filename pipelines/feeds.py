"""Where the lines of a feed of the site file come from: its file, or the input log of its address."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol
from zoneinfo import ZoneInfo

from smartstream.brokers.input_log import InputLog, check_log, door_log, subject_log
from smartstream.brokers.nats_access import NatsAccess
from smartstream.config.feeds import PolledFeed
from smartstream.config.fields import FEEDS
from smartstream.config.settings import settings
from smartstream.config.site import Site
from smartstream.errors import InvalidInputError, UnavailableError
from smartstream.ingest.lines import TURN_LINES, LineSource, file_source
from smartstream.ingest.nats_lines import NatsLines
from smartstream.ingest.sql_lines import Polling, SqlLines, open_database
from smartstream.model.time import NS


class FeedTable(Protocol):
    """What every table of a line feed says."""

    @property
    def url(self) -> str:
        """Its address."""

    @property
    def allowed_lateness_s(self) -> float:
        """How late a line may be."""

    @property
    def idle_after_s(self) -> float:
        """Silence after which it holds nobody up."""


def is_live(site: Site, feed: FeedTable) -> bool:
    """Whether its lines come from outside while the run lasts."""
    return site.address(feed.url).scheme != "file"


def needs_log(site: Site) -> bool:
    """Whether any feed of a site stands in an input log."""
    return any(site.address(feed.url).scheme != "sql" for feed in live_feeds(site))


def live_feeds(site: Site) -> Iterator[FeedTable]:
    """Every live line feed of a site."""
    return (feed for feed in feeds(site) if is_live(site, feed))


def feeds(site: Site) -> Iterator[FeedTable]:
    """Every line feed of a site."""
    for kind in FEEDS:
        yield from getattr(site, kind)


def feed_log(site: Site, feed: FeedTable) -> InputLog:
    """The log that a live feed is read from, unless another stream already keeps its subject."""
    scheme, target = site.address(feed.url)
    return subject_log(target) if scheme == "nats" else door_log(site.site.id, feed.url)


def line_source(
    site: Site, feed: FeedTable, side: str, *, inputs: NatsAccess | None, paced: bool = False, marks: bool = True
) -> LineSource:
    """Where a feed's lines come from.

    Args:
        site: The site.
        feed: Its table.
        side: Its name in the flow.
        inputs: Where the input logs are.
        paced: One line per turn, so that the clock of a replay can hold each back.
        marks: For live feeds: this reader notes the silence.

    Raises:
        InvalidInputError: A live feed whose log cannot be kept.
    """
    lateness_ns = round(feed.allowed_lateness_s * NS)
    scheme, target = site.address(feed.url)
    if scheme == "sql":
        polling = _polling(site, feed)
        open_database(polling).dispose()
        return LineSource(
            side, lambda state: SqlLines(polling, state, idle_after_s=feed.idle_after_s), lateness_ns, live=True
        )
    if scheme == "file":
        turn_lines = 1 if paced else TURN_LINES
        return file_source(side, Path(target), lateness_ns=lateness_ns, turn_lines=turn_lines)
    log = open_feed_log(site, feed, inputs)
    access = inputs
    assert access is not None

    def open_lines(state: dict[str, object]) -> NatsLines:
        return NatsLines(access, log, state, idle_after_s=feed.idle_after_s, marks=marks)

    return LineSource(side, open_lines, lateness_ns, live=True)


def _polling(site: Site, feed: FeedTable) -> Polling:
    assert isinstance(feed, PolledFeed)
    assert feed.sql is not None
    credentials = settings()
    password = credentials.sql_password
    return Polling(
        url=site.address(feed.url).target,
        user=credentials.sql_user,
        password=None if password is None else password.get_secret_value(),
        table=feed.sql.table,
        watermark=feed.sql.watermark,
        key=feed.sql.key,
        columns=feed.sql.columns,
        every_s=feed.sql.every_s,
        overlap_s=feed.sql.overlap_s,
        timezone=ZoneInfo(site.site.timezone),
    )


def open_feed_log(site: Site, feed: FeedTable, inputs: NatsAccess | None) -> InputLog:
    """The log of a live feed, made if need be.

    Raises:
        InvalidInputError: It cannot be kept, or there is no broker to keep it.
    """
    if inputs is None:
        raise InvalidInputError(f"{feed.url}: needs a NATS server to keep what comes in; run without --no-nats")
    try:
        return asyncio.run(check_log(inputs, feed_log(site, feed)))
    except UnavailableError as e:
        raise InvalidInputError(str(e)) from e
