"""Records of the sector systems that a centre is connected to: one typed schema each, unknown fields refused.

A record comes on an ``indicator_feed`` as a line with ``record`` (its name here) and ``time``; the engine makes
indicators of it. What must stay out has no schema here on purpose: see ``STAY_OUT``.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Final, Literal

import msgspec
from msgspec import Meta

Instant = str | int | float
Count = Annotated[int, Meta(ge=0, le=10**9)]
Amount = Annotated[float, Meta(ge=-1e15, le=1e15)]
Name = Annotated[str, Meta(min_length=1, max_length=128)]
Lat = Annotated[float, Meta(ge=-90, le=90)]
Lon = Annotated[float, Meta(ge=-180, le=180)]
Group = Annotated[int, Meta(ge=5, le=10**9)]
"""A count of people near their health: at least five, so that nobody is found in it (k-anonymity)."""


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every record says: when, and where (code of the ward or commune)."""

    name: ClassVar[str]
    """As ``record`` of a line names it."""
    figures: ClassVar[tuple[str, ...]] = ()
    """Fields that are indicators of their own; a record without any is counted by the day."""
    unit: ClassVar[str] = "record"

    time: Instant
    record: str
    area: Name


class CaseEvent(Record, frozen=True):
    """A public-service case changed its state; ``step`` is one of the five on the spot."""

    name = "dvc.case_event"
    case: Name
    procedure: Name
    agency: Name
    state: Literal["received", "appraising", "approved", "sealed", "returned", "overdue", "withdrawn", "handed_on"]
    step: Annotated[int, Meta(ge=1, le=5)] | None = None
    due: Instant | None = None
    online: bool = False


class OneStopQueue(Record, frozen=True):
    """People waiting at a one-stop desk: counted, never recognised."""

    name = "dvc.queue"
    figures = ("waiting", "counters_open")
    unit = "person"
    desk: Name
    waiting: Count
    counters_open: Count


class AgencyReport(Record, frozen=True):
    """A report that an agency owes, and when it came."""

    name = "agency.report"
    agency: Name
    period: Name
    form: Name
    due: Instant
    submitted: Instant | None = None


class Directive(Record, frozen=True):
    """An instruction from one office to another."""

    name = "ops.directive"
    directive: Name
    sender: Name
    receiver: Name
    due: Instant
    state: Literal["sent", "accepted", "done", "overdue", "withdrawn"]
    about: str = ""


class CalendarEvent(Record, frozen=True):
    """An entry of the work calendar that concerns the city: an event, a visit, a paperless meeting."""

    name = "calendar.event"
    title: Name
    until: Instant
    place: str = ""
    crowd: Count = 0


class DocEvent(Record, frozen=True):
    """An official document on its way; only those that are no secret."""

    name = "doc.event"
    document: Name
    sender: Name
    receiver: Name
    state: Literal["sent", "received", "processed", "overdue"]
    secrecy: Literal["none"]
    urgency: Literal["normal", "urgent", "express"] = "normal"
    signed: bool = False


class SurveyResponse(Record, frozen=True):
    """How content people are with an answer."""

    name = "survey.response"
    figures = ("satisfaction",)
    unit = "1-5"
    survey: Name
    satisfaction: Annotated[int, Meta(ge=1, le=5)]
    about: str = ""


class Answer(Record, frozen=True):
    """A question to the citizen-answer centre, and its answer."""

    name = "citizen.answer"
    ticket: Name
    channel: Literal["phone", "app", "zalo", "mail", "desk", "web"]
    asked: Instant
    answered: Instant | None = None


class Petition(Record, frozen=True):
    """What citizens and businesses propose; no place, a long time to answer."""

    name = "citizen.petition"
    petition: Name
    actor: Literal["citizen", "business", "organisation"]
    subject: Name
    state: Literal["received", "in_progress", "answered"]


class AppUse(Record, frozen=True):
    """Use of the citizen application in a period."""

    name = "app.use"
    figures = ("installs", "accounts", "logins", "reports")
    unit = "count"
    app: Name
    installs: Count
    accounts: Count
    logins: Count = 0
    reports: Count = 0


class Inspection(Record, frozen=True):
    """A finding of an inspection."""

    name = "inspection.finding"
    inspection: Name
    site: Name
    finding: Name
    due: Instant


class PressResponse(Record, frozen=True):
    """A press item that an office must answer."""

    name = "press.response"
    media: Name
    assigned: Name
    due: Instant
    answered: Instant | None = None


class School(Record, frozen=True):
    """A school of the day's snapshot: gate, shifts, pupils in all."""

    name = "edu.school"
    figures = ("pupils",)
    unit = "person"
    school: Name
    level: Literal["kindergarten", "primary", "secondary", "high", "other"]
    lat: Lat
    lon: Lon
    shifts: tuple[tuple[str, str], ...]
    pupils: Count


class HealthAggregate(Record, frozen=True):
    """Arrivals in an hour, of at least five people: never a person."""

    name = "health.aggregate"
    figures = ("count",)
    unit = "person"
    what: Literal["emergency", "respiratory", "traffic_injury", "fever", "beds_free"]
    count: Group


class Vaccination(Record, frozen=True):
    """Doses given in a day, and what is left."""

    name = "health.vaccination"
    figures = ("doses", "stock")
    unit = "dose"
    vaccine: Name
    doses: Count
    stock: Count


class TourismVisits(Record, frozen=True):
    """Visitors of a place or a day, and how full the hotels are."""

    name = "tour.visits"
    figures = ("visits", "occupancy_percent")
    unit = "count"
    place: Name
    visits: Count
    occupancy_percent: Annotated[float, Meta(ge=0, le=100)] = 0.0


class LightState(Record, frozen=True):
    """A street light or its cabinet."""

    name = "light.state"
    figures = ("kwh",)
    unit = "kWh"
    pole: Name
    on: bool
    kwh: Annotated[float, Meta(ge=0, le=1e6)] = 0.0
    lux: Annotated[float, Meta(ge=0, le=2e5)] | None = None
    fault: str = ""


class AgriObservation(Record, frozen=True):
    """Salinity, water or pests on the fields."""

    name = "agri.observation"
    figures = ("value",)
    unit = "as said"
    station: Name
    what: Literal["salinity_g_l", "water_level_m", "pest_trap"]
    value: Amount


class Project(Record, frozen=True):
    """A public-investment project; where and when it digs."""

    name = "invest.project"
    figures = ("planned", "disbursed")
    unit = "million VND"
    project: Name
    stage: Name
    planned: Annotated[float, Meta(ge=0, le=1e12)]
    disbursed: Annotated[float, Meta(ge=0, le=1e12)]
    works_from: Instant | None = None
    works_until: Instant | None = None
    outline: tuple[tuple[Lon, Lat], ...] = ()


class SecurityEvent(Record, frozen=True):
    """An alarm of the network-security centre."""

    name = "net.security_event"
    event: Name
    severity: Literal["low", "medium", "high", "critical"]
    asset: Name
    what: Name


class LinkHealth(Record, frozen=True):
    """A data line, server room or service."""

    name = "net.link_health"
    figures = ("loss_percent", "delay_ms")
    unit = "as said"
    link: Name
    up: bool
    loss_percent: Annotated[float, Meta(ge=0, le=100)] = 0.0
    delay_ms: Annotated[float, Meta(ge=0, le=1e6)] = 0.0


class CameraState(Record, frozen=True):
    """What the camera-management system says about a camera: capability, purpose, whether it works."""

    name = "vms.camera_state"
    camera: Name
    purpose: Literal["traffic", "security", "one_stop"]
    state: Literal["up", "down", "tampered", "moved", "recording_gap", "clock_drift"]
    fps: Annotated[float, Meta(ge=0, le=240)] | None = None
    height_px: Annotated[int, Meta(ge=0, le=20_000)] | None = None


class ConferenceSession(Record, frozen=True):
    """A video conference between levels."""

    name = "vc.session"
    session: Name
    state: Literal["planned", "running", "ended"]
    rooms: Count = 0


class TollPass(Record, frozen=True):
    """A vehicle passed a toll gate: class and a keyed hash of the plate, never the plate."""

    name = "etc.passage"
    station: Name
    lane: Name
    vehicle: Name
    plate_hmac: Annotated[str, Meta(pattern="^[0-9a-f]{32,64}$")]


class PublishedWarning(Record, frozen=True):
    """A warning that was published to citizens."""

    name = "warning.published"
    warning: Name
    severity: Literal["minor", "moderate", "severe", "extreme"]
    until: Instant
    text: Name


RECORDS: Final[dict[str, type[Record]]] = {
    kind.name: kind
    for kind in (
        CaseEvent, OneStopQueue, AgencyReport, Directive, CalendarEvent, DocEvent, SurveyResponse, Answer, Petition,
        AppUse, Inspection, PressResponse, School, HealthAggregate, Vaccination, TourismVisits, LightState,
        AgriObservation, Project, SecurityEvent, LinkHealth, CameraState, ConferenceSession, TollPass, PublishedWarning,
    )
}  # fmt: skip
"""Every record by name."""

STAY_OUT: Final = {
    "ops.confidential": "confidential operations are never on a shared bus",
    "health.record": "personal health records: only counts of five and more (health.aggregate)",
    "mail.content": "the content of mails",
    "plate.watchlist": "watch lists and plates belong on restricted channels with an audit",
}
"""Records that are refused whatever they say, with the reason; a refusal never shows their content."""


class RefusedRecordError(Exception):
    """A record that cannot be taken.

    Args:
        reason: ``unknown_record``, ``must_stay_out`` or ``bad_field``.
        detail: What was found and what was expected.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason, self.detail = reason, detail


def read_record(fields: dict[str, Any]) -> Record:
    """A record by its schema.

    Raises:
        RefusedRecordError: It must stay out, is not known, or does not fit.
    """
    name = fields.get("record")
    if not isinstance(name, str):
        raise RefusedRecordError("bad_field", "expected the name of a record")
    if name in STAY_OUT:
        raise RefusedRecordError("must_stay_out", STAY_OUT[name])
    kind = RECORDS.get(name)
    if kind is None:
        raise RefusedRecordError("unknown_record", f"expected one of {', '.join(RECORDS)}")
    try:
        return msgspec.convert(fields, kind)
    except msgspec.ValidationError as e:
        if name.startswith("health.") and "unknown field" in str(e):
            raise RefusedRecordError("must_stay_out", STAY_OUT["health.record"]) from None
        if name == "doc.event" and "secrecy" in str(e):
            raise RefusedRecordError("must_stay_out", "documents that do not say that they are no secret") from None
        raise RefusedRecordError("bad_field", str(e)) from None
