"""What travels through a dataflow: one frozen value per item, small and picklable.

Every item names its ``side``: the one source partition (a camera, a signal feed, ...) it came from. A side's
items reach a junction in the order the side emitted them, whatever the number of processes.
"""

from __future__ import annotations

from typing import Generic, Literal, TypeVar

import msgspec

from smartstream.model.classes import SignalState

T = TypeVar("T")


class Tracks(msgspec.Struct, frozen=True, tag=True):
    """A few hundred milliseconds of one camera's frames.

    Attributes:
        side: The camera's id.
        first_ns: Event time of the first frame.
        last_ns: Event time of the last frame, also the side's watermark after this item.
        batch: A ``TrackBatch`` in wire form.
    """

    side: str
    first_ns: int
    last_ns: int
    batch: bytes


class SignalChange(msgspec.Struct, frozen=True):
    """What a group shows from ``time_ns`` on: a line of a signal feed, or read from its lamps.

    Attributes:
        after_ns: Of lamps: the last look that showed what was before; the change lies between the two.
        confidence: Of lamps: how clearly they were seen, 0-1.
        known_ns: Of a line that came too late: the first instant that its feed had not passed yet when it came.
    """

    time_ns: int
    signal: str
    state: SignalState
    after_ns: int | None = None
    confidence: float | None = None
    known_ns: int | None = None

    @property
    def from_lamps(self) -> bool:
        """Read from the lamps, not told by a feed."""
        return self.confidence is not None


def lamp_side(camera: str) -> str:
    """The side of what a camera reads from lamps; it may lag behind the tracks of the same pictures."""
    return f"{camera}/lamps"


class Signals(msgspec.Struct, frozen=True, tag=True):
    """Lines of one signal feed in their order of arrival, or what lamps show."""

    side: str
    changes: tuple[SignalChange, ...]
    watermark_ns: int


class FeedLines(msgspec.Struct, Generic[T], frozen=True):
    """Lines of one feed about the whole site, in their order of arrival.

    Attributes:
        clock_ns: Newest event time of the feed; what follows arrives at this clock or later.
        ended: Nothing follows.
    """

    side: str
    lines: tuple[T, ...]
    clock_ns: int
    ended: bool = False


class Reading(msgspec.Struct, frozen=True):
    """A line of a sensor feed.

    Attributes:
        clock_ns: Newest event time of its feed when it arrived, itself included: its place in the order of arrival.
        time_ns: When it was measured.
        side: The feed.
        line: Its number in the feed.
        value: As it came.
        unit: As it came, one that the kind knows.
        position: Latitude and longitude in degrees, where the line gives them.
    """

    clock_ns: int
    time_ns: int
    side: str
    line: int
    station: str
    sensor: str
    kind: str
    value: float
    unit: str
    status: str
    position: tuple[float, float] | None = None


class Readings(FeedLines[Reading], frozen=True, tag=True):
    """Lines of a sensor feed."""


ReportStatus = Literal["open", "in_progress", "waiting", "closed"]
"""``waiting``: for the citizen to add what is missing; the time to answer stands still."""


class Report(msgspec.Struct, frozen=True):
    """A line of a report feed: a report, or what has become of it.

    Attributes:
        clock_ns: Newest event time of its feed when it arrived, itself included: its place in the order of arrival.
        time_ns: When it was made, or when its status changed.
        side: The feed.
        line: Its number in the feed.
        report: The report's id.
        description: On one line, otherwise as it came: personal data may be in it.
        position: Latitude and longitude in degrees, if the citizen gave them.
        reporter: Pseudonym of who made it, empty when the line does not say.
    """

    clock_ns: int
    time_ns: int
    side: str
    line: int
    report: str
    service_code: str
    description: str
    position: tuple[float, float] | None
    address: str
    media_url: str
    status: ReportStatus
    reporter: str = ""


class Reports(FeedLines[Report], frozen=True, tag=True):
    """Lines of a report feed."""


class Figure(msgspec.Struct, frozen=True):
    """A value of an indicator, said by a line or made of a record of a sector system.

    Attributes:
        clock_ns: Newest event time of its feed when it arrived, itself included.
        time_ns: What instant it is of.
        side: The feed.
        line: Its number in the feed.
        area: Code of the ward, commune or province.
        target: What it should be, if somebody says so.
        every_s: How often it is owed; 0: nobody waits for it.
        counted: It is one of many that are counted by the day.
    """

    clock_ns: int
    time_ns: int
    side: str
    line: int
    indicator: str
    area: str
    value: float
    unit: str
    target: float | None = None
    every_s: float = 0.0
    counted: bool = False


class Figures(FeedLines[Figure], frozen=True, tag=True):
    """Lines of an indicator feed."""


class MediaItem(msgspec.Struct, frozen=True):
    """A line of a media feed: an article or a public post.

    Attributes:
        clock_ns: Newest event time of its feed when it arrived, itself included.
        time_ns: When it was published.
        side: The feed.
        line: Its number in the feed.
        media: Its id.
        source: Such as ``press`` or ``social``.
    """

    clock_ns: int
    time_ns: int
    side: str
    line: int
    media: str
    source: str
    url: str
    lang: str
    title: str
    text: str


class MediaItems(FeedLines[MediaItem], frozen=True, tag=True):
    """Lines of a media feed."""


ConditionKind = Literal[
    "officer_control",
    "temporary_sign",
    "permit",
    "emergency_vehicle",
    "flood",
    "incident",
    "geometry_invalid",
    "clock_invalid",
    "low_visibility",
]


class Condition(msgspec.Struct, frozen=True, tag=True):
    """Something that lifts rules from ``time_ns`` until before ``until_ns``.

    Attributes:
        clock_ns: Newest event time of its feed when it arrived: where it takes its place.
        camera: Camera it holds at; ``None``: the whole junction.
        lane: Lane it holds in; ``None``: all.
        origin: Who says so.
        junction: As its line names it; ``None``: every junction.
    """

    clock_ns: int
    time_ns: int
    until_ns: int
    condition: ConditionKind
    camera: str | None = None
    lane: str | None = None
    origin: str = ""
    junction: str | None = None


class MeterReading(msgspec.Struct, frozen=True, tag=True):
    """A speed meter measured a speed; only a certified one can accuse."""

    clock_ns: int
    time_ns: int
    meter: str
    camera: str
    lane: str
    speed_kmh: float
    certified: bool
    certificate: str = ""
    valid_to: str | None = None


class Conditions(msgspec.Struct, frozen=True, tag=True):
    """Lines of a condition feed that concern one junction, in their order of arrival.

    Attributes:
        lines: Every line, of whatever junction, where this one speaks for the feed; otherwise empty.
    """

    side: str
    facts: tuple[Condition | MeterReading, ...]
    watermark_ns: int
    lines: tuple[Condition | MeterReading, ...] = ()


class Approval(msgspec.Struct, frozen=True):
    """A person's decision about a proposed warning.

    Attributes:
        clock_ns: Newest event time of its feed when it arrived: where it takes its place.
        warning: Incident that proposed it.
        decision: ``approve`` or ``reject``.
        by: Who decided.
    """

    clock_ns: int
    time_ns: int
    warning: str
    decision: Literal["approve", "reject"]
    by: str


class Approvals(msgspec.Struct, frozen=True, tag=True):
    """Lines of an approval feed in their order of arrival."""

    side: str
    approvals: tuple[Approval, ...]
    watermark_ns: int


class Mark(msgspec.Struct, frozen=True, tag=True):
    """A side tells how far it is without bringing data.

    Attributes:
        watermark_ns: Nothing at or before this instant will follow; ``MAX_NS`` at the end of a file.
        idle: The source decided that a silent live side shall not hold the others up until it speaks again.
    """

    side: str
    watermark_ns: int
    idle: bool = False


class Gap(msgspec.Struct, frozen=True, tag=True):
    """A camera's session broke: what was open in ``run`` can no longer be proved."""

    side: str
    run: int
    at_ns: int
    reason: str


class Health(msgspec.Struct, frozen=True, tag=True):
    """A camera's condition changed (``camera.health.opened|closed``).

    Attributes:
        found_ns: When its own pictures told it: there a junction takes it, for rules rest on what is seen.
        shift: Of ``moved``: where the view is now, to the right and down, in parts of the picture.
    """

    side: str
    what: str
    verb: str
    at_ns: int
    detail: str = ""
    found_ns: int | None = None
    shift: tuple[float, float] | None = None


class DeadLetter(msgspec.Struct, frozen=True, tag=True):
    """An input that could not be used.

    Attributes:
        stage: Where it was refused: ``ingest``, ``vision``, ``rules``, ``streams``, ``sinks``.
        reason: Closed set of snake_case words, fit for a metric label (``broken_json``, ``late``).
        source: Which file, subject or camera it came from.
        at_ns: Event time it is filed under: its own if readable, else the side's watermark.
        place: Where in the source (``line 17``, ``frame 803``).
        detail: What was found and what was expected.
        payload: The input itself, cut to 512 characters.
    """

    stage: str
    reason: str
    source: str
    at_ns: int
    place: str
    detail: str = ""
    payload: str = ""
    count: int = 1


class Tally(msgspec.Struct, frozen=True, tag=True):
    """Running totals of one side since its run began; the newest stands for all before it.

    Attributes:
        counts: Such as ``frames_decoded``, ``dropped.decode.corrupt``, ``lines``.
    """

    side: str
    counts: dict[str, int]


Joined = Tracks | Signals | Conditions | Mark | Gap | Health
"""What a junction's join wants to see."""
Recorded = Tracks | Signals | Readings | Reports | Figures | MediaItems | Conditions | Approvals
"""What ``--record`` writes down."""
Item = Joined | Readings | Reports | Figures | MediaItems | Approvals | DeadLetter | Tally
