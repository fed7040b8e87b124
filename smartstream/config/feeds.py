"""The tables of line feeds in the site file."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from smartstream.config.fields import (
    FeedUrl,
    Id,
    Lateness,
    ReportUrl,
    Silence,
    StateUrl,
    expected,
)
from smartstream.config.table import Table


class SignalFeed(Table):
    """States of the signal groups of one junction."""

    junction: Id
    """Junction whose groups it reports."""
    url: StateUrl
    """`file:PATH`, `nats:SUBJECT` or `mqtt://HOST/TOPIC`."""
    allowed_lateness_s: Lateness = 1.0
    """Seconds a line may be late before it becomes a dead letter."""
    heartbeat_s: Annotated[float, Field(gt=0, le=86_400)] | None = None
    """Seconds within which a state is repeated; without the repetition it becomes unknown. Absent: a state
    holds until the next."""
    idle_after_s: Silence = 5.0
    """Live feeds: seconds of silence after which it holds nobody up."""


class Polled(Table):
    """A table of a database, read again and again from where it was."""

    table: str
    """Table or view, with its schema if need be: `public.readings`."""
    watermark: str
    """Column that never sinks for a row and rises with every change; rows without it are not read."""
    key: str = "id"
    """Column that tells rows apart."""
    columns: Annotated[dict[str, str], Field(default={})]
    """Field of an input line to the column it comes from; other columns keep their names."""
    every_s: Annotated[float, Field(gt=0, le=86_400)] = 10.0
    """Seconds between polls."""
    overlap_s: Annotated[float, Field(ge=0, le=86_400)] = 60.0
    """How far before the newest watermark each poll begins: seconds, or units of a number. Longer than the longest
    transaction that writes to the table."""


class PolledFeed(Table):
    """A feed that may also come from a database."""

    url: str
    sql: Polled | None = None
    """`sql:` only: what to poll."""

    @model_validator(mode="after")
    def _polled(self) -> Self:
        if self.url.startswith("sql:") and self.sql is None:
            raise expected("a table `sql` beside a url of sql:, with `table` and `watermark`", found="none")
        if self.sql is not None and not self.url.startswith("sql:"):
            raise expected("a url of sql: beside the table `sql`")
        return self


class SensorFeed(PolledFeed):
    """Readings of air, noise, water and other stations."""

    url: FeedUrl
    """`file:PATH`, `nats:SUBJECT`, `mqtt://HOST/TOPIC` or `sql:DATABASE://HOST/NAME`."""
    allowed_lateness_s: Lateness = 600.0
    """Seconds an hour waits for late lines. Later ones, up to a day, correct what was published; beyond that they
    become dead letters."""
    idle_after_s: Silence = 60.0
    """Live feeds: seconds of silence after which it holds nobody up."""


class ReportFeed(PolledFeed):
    """Reports of citizens, Open311 GeoReport v2; by the suffixes `.json` and `.csv` an export, sorted first."""

    url: ReportUrl
    """`file:PATH`, `nats:SUBJECT`, `mqtt://HOST/TOPIC`, `sql:DATABASE://HOST/NAME`, or
    `http://HOST:PORT/` to take them in there."""
    per_client_per_min: Annotated[int, Field(ge=1, le=1_000_000)] = 60
    """`http:` only: requests a minute that one client may send."""
    behind_proxy: bool = False
    """`http:` only: a proxy of ours stands in front and says who the client is (`X-Forwarded-For`)."""
    allowed_lateness_s: Lateness = 300.0
    """Seconds a report waits for earlier ones. Later ones, up to 7 days, are taken as they come; beyond that they
    become dead letters."""
    idle_after_s: Silence = 60.0
    """Live feeds: seconds of silence after which it holds nobody up."""


class IndicatorFeed(PolledFeed):
    """Figures of sector systems."""

    url: FeedUrl
    """`file:PATH`, `nats:SUBJECT`, `mqtt://HOST/TOPIC` or `sql:DATABASE://HOST/NAME`."""
    allowed_lateness_s: Lateness = 600.0
    """Seconds a line may be late before it becomes a dead letter."""
    idle_after_s: Silence = 60.0
    """Live feeds: seconds of silence after which it holds nobody up."""


class MediaFeed(PolledFeed):
    """Press and social media items."""

    url: FeedUrl
    """`file:PATH`, `nats:SUBJECT`, `mqtt://HOST/TOPIC` or `sql:DATABASE://HOST/NAME`."""
    allowed_lateness_s: Lateness = 300.0
    """Seconds a line may be late before it becomes a dead letter."""
    idle_after_s: Silence = 60.0
    """Live feeds: seconds of silence after which it holds nobody up."""


class ConditionFeed(Table):
    """What suppresses or changes rules: officers, permits, emergencies, floods and the like."""

    url: StateUrl
    """`file:PATH`, `nats:SUBJECT` or `mqtt://HOST/TOPIC`."""
    allowed_lateness_s: Lateness = 300.0
    """Seconds a line may be late; it takes back what was suspected. Up to an hour is never too late: for as long can
    a suspicion be taken back. In a file, where a line is further behind, the one before it was dated ahead."""
    idle_after_s: Silence = 5.0
    """Live feeds: seconds of silence after which it holds nobody up."""


class ApprovalFeed(Table):
    """Decisions of people about proposed warnings."""

    url: StateUrl
    """`file:PATH`, `nats:SUBJECT` or `mqtt://HOST/TOPIC`."""
    allowed_lateness_s: Lateness = 60.0
    """Seconds a line may be late before it becomes a dead letter."""
    idle_after_s: Silence = 5.0
    """Live feeds: seconds of silence after which it holds nobody up."""
