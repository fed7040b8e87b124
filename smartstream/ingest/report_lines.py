"""A report feed: citizens' reports and what has become of them, one JSON line each."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, Final

import msgspec

from smartstream.ingest.line_feed import LineFeed, RefusedError, decode_line, instant_of, named
from smartstream.ingest.lines import LineSource
from smartstream.model.items import Item, Report, Reports, ReportStatus
from smartstream.model.report_text import anonymous, fold, tidy
from smartstream.model.time import NS

HORIZON_NS: Final = 7 * 86_400 * NS
"""A report this late is still taken."""

STATUSES: Final[dict[str, ReportStatus]] = {
    "open": "open",
    "opened": "open",
    "new": "open",
    "reopened": "open",
    "submitted": "open",
    "tiep nhan": "open",
    "moi": "open",
    "mo lai": "open",
    "acknowledged": "in_progress",
    "assigned": "in_progress",
    "in progress": "in_progress",
    "in_progress": "in_progress",
    "started": "in_progress",
    "dang xu ly": "in_progress",
    "chuyen xu ly": "in_progress",
    "pending": "waiting",
    "waiting": "waiting",
    "on hold": "waiting",
    "cho bo sung": "waiting",
    "closed": "closed",
    "completed": "closed",
    "resolved": "closed",
    "fixed": "closed",
    "duplicate": "closed",
    "da xu ly": "closed",
    "hoan thanh": "closed",
}
"""What report systems say, folded, and what it means here."""


class ReportLine(msgspec.Struct):
    """A line of a report feed: Open311's names."""

    time: str | int | float
    report: str | int
    service_code: str | None = None
    service_name: str | None = None
    description: str | None = None
    lat: float | None = None
    lon: float | None = None
    address_string: str | None = None
    media_url: str | None = None
    status: str | None = None
    account_id: str | int | None = None
    device_id: str | int | None = None
    email: str | None = None
    phone: str | int | None = None
    reporter: str | None = None


_decoder: Final = msgspec.json.Decoder(ReportLine)


class ReportLines(LineFeed[Report]):
    """Reports as JSON lines; ``lateness_ns`` of the source is how long a report waits for earlier ones.

    Args:
        source: Where the lines come from.
        site: Site id; pseudonyms of reporters hold within it.
        resume: What ``snapshot`` returned.
    """

    horizon_ns = HORIZON_NS
    jump_ns = 31 * 86_400 * NS  # a small town is silent for weeks
    step_ns = 0

    def __init__(self, source: LineSource, *, site: str, resume: dict[str, Any] | None = None) -> None:
        super().__init__(source, resume)
        self._site = site

    def _parse(self, line_no: int, line: bytes) -> tuple[int, Report]:
        parsed = decode_line(_decoder, line)
        at_ns = instant_of(parsed.time)
        name = named(str(parsed.report), "report")
        said = parsed.status if parsed.status is not None else "open"
        status = STATUSES.get(fold(tidy(said)))
        if status is None:
            raise RefusedError("unknown_status", f"expected one of {', '.join(STATUSES)}, found {said[:32]!r}")
        return at_ns, Report(
            clock_ns=0,
            time_ns=at_ns,
            side=self.side,
            line=line_no,
            report=name,
            service_code=tidy(parsed.service_code or parsed.service_name or "")[:128],
            description=tidy(parsed.description or parsed.service_name or "")[:4000],
            position=_position(parsed.lat, parsed.lon),
            address=tidy(parsed.address_string or "")[:500],
            media_url=parsed.media_url or "",
            status=status,
            reporter=parsed.reporter or pseudonym(self._site, msgspec.structs.asdict(parsed)),
        )

    def _voice(self, value: Report) -> str:
        return value.reporter or value.report

    def _payload(self, line: bytes) -> str:
        return anonymous(super()._payload(line))

    def _arrived(self, value: Report) -> Report:
        return msgspec.structs.replace(value, clock_ns=self.position_ns)

    def _batch(self, values: tuple[Report, ...]) -> Item:
        return Reports(self.side, values, self.position_ns, self.ended)


def pseudonym(site: str, fields: Mapping[str, Any]) -> str:
    """Who made a report, without saying who: the strongest name that its fields give, hashed; empty without any."""
    for what in ("account_id", "phone", "email", "device_id"):
        who = fields.get(what)
        if who not in (None, ""):
            text = f"{site}\x1f{what}\x1f{str(who).strip().casefold()}"
            return blake2b(text.encode(), digest_size=12).hexdigest()
    return ""


def _position(lat: float | None, lon: float | None) -> tuple[float, float] | None:
    if lat is None or lon is None or (lat == 0 and lon == 0):  # null island: the form of many apps for "not known"
        return None
    if not (-90 <= lat <= 90 and -180 <= lon <= 180):
        raise RefusedError("bad_position", f"expected degrees, found lat {lat}, lon {lon}")
    return lat, lon
