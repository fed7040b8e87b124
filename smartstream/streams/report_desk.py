"""The desk that citizens' reports come to: received, placed, clustered, and answered in time or not.

Reports wait for the allowed lateness and are then taken in the order they were made. One that comes later still is
taken when it comes: a citizen's word is not lost because a telephone was out of reach.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from hashlib import blake2b
from typing import Any, Final

import msgspec

from smartstream.model.event import CloudEvent
from smartstream.model.items import DeadLetter, Report, ReportStatus
from smartstream.model.state import check_version
from smartstream.model.time import NS
from smartstream.streams.report_categories import CATEGORIES, categorise
from smartstream.streams.report_clusters import Clusters, Voice
from smartstream.streams.report_events import ReportEvents, Shown
from smartstream.streams.sla import Clockwork, Term
from smartstream.streams.wards import Ward, WardIndex
from smartstream.streams.working_calendar import WorkingCalendar

_VERSION: Final = 1
_CLOSED_KEPT_NS: Final = 30 * 86_400 * NS  # so long a closed report may be reopened
_OPEN_KEPT_NS: Final = 5 * 366 * 86_400 * NS  # real ones are answered after two years
_Out = CloudEvent | DeadLetter


class Case(msgspec.Struct):
    """What the desk remembers of a report.

    Attributes:
        received_ns: When it was made.
        changed_ns: When its status last changed.
        category: Id of its category.
        ward: Where it lies, once known.
        term: Its time to answer.
        shown: What of it may be published.
        digest: Of what was told of it.
        revision: Of what was told of it.
        overdue_ns: The due time it has missed, while it is open.
        misjudged: How often it was said to be overdue and was not.
    """

    received_ns: int
    changed_ns: int
    status: ReportStatus
    category: str
    ward: Ward | None
    term: Term
    shown: Shown
    digest: bytes = b""
    revision: int = -1
    overdue_ns: int | None = None
    misjudged: int = 0


class Desk:
    """Takes the reports of a site.

    Args:
        events: Makes its events.
        calendar: Of the working hours.
        wards: Polygons of wards, if the site has them.
        lateness_ns: How long a report waits for earlier ones.
    """

    def __init__(
        self, *, events: ReportEvents, calendar: WorkingCalendar, wards: WardIndex | None, lateness_ns: int
    ) -> None:
        self._events = events
        self._clockwork = Clockwork(calendar)
        self._wards = wards
        self._lateness = lateness_ns
        self._done_ns: int | None = None  # reports up to here have been taken in order
        self._waiting: list[tuple[int, str, int, Report]] = []  # the number is that of arrival
        self._arrived = 0
        self._cases: dict[str, Case] = {}
        self._due: list[tuple[int, str]] = []
        self._clusters = Clusters()

    def take(self, reports: Iterable[Report], clock_ns: int, *, ended: bool) -> list[_Out]:
        """Reports in the order they arrived, then the feeds' clock; what can be told now."""
        out: list[_Out] = []
        for report in reports:
            self._advance(report.clock_ns - self._lateness - 1, out)
            if self._done_ns is not None and report.time_ns <= self._done_ns:
                self._handle(report, out)
            else:
                heapq.heappush(self._waiting, (report.time_ns, report.report, self._arrived, report))
                self._arrived += 1
        self._advance(clock_ns - self._lateness - 1, out)
        if ended:
            self._advance(clock_ns, out)
            out.extend(self._events.cluster(news) for news in self._clusters.expire(_AFTER_ALL))
        return out

    def _advance(self, until_ns: int, out: list[_Out]) -> None:
        """Everything up to an instant is known: take it in order, with the timers in between."""
        if self._done_ns is not None and until_ns <= self._done_ns:
            return
        while self._waiting and self._waiting[0][0] <= until_ns:
            report = heapq.heappop(self._waiting)[-1]
            self._ring(report.time_ns - 1, out)
            self._handle(report, out)
        self._ring(until_ns, out)
        self._done_ns = until_ns

    def _ring(self, until_ns: int, out: list[_Out]) -> None:
        """What happens by the mere passing of time."""
        out.extend(self._events.cluster(news) for news in self._clusters.expire(until_ns))
        while self._due and self._due[0][0] <= until_ns:
            due_ns, name = heapq.heappop(self._due)
            case = self._cases.get(name)
            if case is None:
                continue
            if case.term.due_ns == due_ns and case.overdue_ns is None:
                case.overdue_ns = due_ns
                out.append(self._events.overdue(name, case.category, case.ward, due_ns, case.misjudged))
            self._forget(name, case, due_ns)

    def _handle(self, report: Report, out: list[_Out]) -> None:
        case = self._cases.get(report.report)
        if case is None:
            self._receive(report, out)
        elif report.time_ns < case.changed_ns:
            out.append(_dead(report, "superseded", "a later line of this report has been taken already"))
        else:
            self._change(report, case, out)

    def _receive(self, report: Report, out: list[_Out]) -> None:
        category = categorise(report.service_code, report.description)
        ward = None
        if self._wards is not None and report.position is not None:
            ward = self._wards.find(*report.position, report.time_ns)
        term = self._clockwork.start(category, report.time_ns)
        if report.status != "open":
            term = self._clockwork.change(category, term, "open", report.status, report.time_ns)
        shown = self._events.shown(report, category)
        case = Case(report.time_ns, report.time_ns, report.status, category.id, ward, term, shown)
        self._cases[report.report] = case
        self._tell(report.report, case, out)
        self._set_timer(report.report, case)
        voice = Voice(
            report=report.report,
            at_ns=report.time_ns,
            category=category.id,
            position=report.position,
            address=report.address,
            text=report.description,
            reporter=report.reporter,
            ward=None if ward is None else ward.code,
        )
        _, news = self._clusters.add(voice)
        out.extend(self._events.cluster(each) for each in news)

    def _change(self, report: Report, case: Case, out: list[_Out]) -> None:
        category = CATEGORIES[case.category]
        before = case.status
        if report.status != before:
            case.term = self._clockwork.change(category, case.term, before, report.status, report.time_ns)
            case.status, case.changed_ns = report.status, report.time_ns
        case.shown = case.shown.with_news(self._events.shown(report, category))
        if not self._tell(report.report, case, out):
            out.append(_dead(report, "duplicate", "this report and status have been taken already"))
        elif report.status != before:
            self._settle(report, case, out)
            self._set_timer(report.report, case)

    def _settle(self, report: Report, case: Case, out: list[_Out]) -> None:
        """End what was said to be overdue: by an answer, or because a late line shows that it never was."""
        due_ns = case.overdue_ns
        if due_ns is None:
            return
        wrong = report.time_ns < due_ns and case.term.due_ns != due_ns
        if not wrong and case.status != "closed":
            return
        spent_ns = self._clockwork.spent(CATEGORIES[case.category], due_ns, report.time_ns)
        out.append(
            self._events.answered(
                report.report, case.category, case.ward, report.time_ns, due_ns, spent_ns, case.misjudged, wrong=wrong
            )
        )
        case.overdue_ns = None
        case.misjudged += wrong

    def _set_timer(self, name: str, case: Case) -> None:
        wake_ns = case.term.due_ns
        if wake_ns is None:
            wake_ns = case.changed_ns + (_CLOSED_KEPT_NS if case.status == "closed" else _OPEN_KEPT_NS)
        heapq.heappush(self._due, (wake_ns, name))

    def _forget(self, name: str, case: Case, at_ns: int) -> None:
        """Drop what nobody will speak of again, else look again later."""
        kept_ns = _CLOSED_KEPT_NS if case.status == "closed" else _OPEN_KEPT_NS
        if at_ns - case.changed_ns >= kept_ns:
            del self._cases[name]
        elif case.term.due_ns == at_ns:
            heapq.heappush(self._due, (case.changed_ns + _OPEN_KEPT_NS, name))

    def _tell(self, name: str, case: Case, out: list[_Out]) -> bool:
        """Publish what is new about a report; ``False`` when nothing is."""
        category = CATEGORIES[case.category]
        data = self._events.received_data(
            name, category, case.ward, case.shown, case.status, case.received_ns, case.term.due_ns
        )
        digest = blake2b(msgspec.json.encode(data, order="deterministic"), digest_size=8).digest()
        if digest == case.digest:
            return False
        case.digest, case.revision = digest, case.revision + 1
        out.append(self._events.received(name, case.received_ns, data, case.revision))
        return True

    def snapshot(self) -> dict[str, Any]:
        """A copy of the state, plain values only."""
        return {
            "version": _VERSION,
            "done_ns": self._done_ns,
            "waiting": list(self._waiting),
            "arrived": self._arrived,
            "cases": _encoder.encode(self._cases),
            "due": list(self._due),
            "clusters": self._clusters.snapshot(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from ``snapshot``.

        Raises:
            InvalidInputError: The state is of another version.
        """
        check_version("reports", state["version"], _VERSION)
        self._done_ns = state["done_ns"]
        self._waiting, self._arrived = list(state["waiting"]), state["arrived"]
        self._cases = _decoder.decode(state["cases"])
        self._due = list(state["due"])
        self._clusters.restore(state["clusters"])


_AFTER_ALL: Final = 2**63 - 1
_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(dict[str, Case])


def _dead(report: Report, reason: str, detail: str) -> DeadLetter:
    return DeadLetter("streams", reason, report.side, report.time_ns, f"line {report.line}", detail, report.report)
