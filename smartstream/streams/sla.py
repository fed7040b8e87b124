"""The time to answer a report: it stands still while the citizen is asked, and starts anew when reopened."""

from __future__ import annotations

from typing import NamedTuple

from smartstream.model.items import ReportStatus
from smartstream.model.time import NS
from smartstream.streams.report_categories import Category
from smartstream.streams.working_calendar import WorkingCalendar


class Term(NamedTuple):
    """Where the time of a report stands.

    Attributes:
        left_ns: Time that was left at ``from_ns``.
        from_ns: Since when it runs, or stands.
        due_ns: When it is over; ``None`` while it stands still or the report is closed.
    """

    left_ns: int
    from_ns: int
    due_ns: int | None


class Clockwork:
    """Moves terms by the status of their reports.

    Args:
        calendar: Of the working hours.
    """

    def __init__(self, calendar: WorkingCalendar) -> None:
        self._calendar = calendar

    def start(self, category: Category, at_ns: int) -> Term:
        """The term of a report that is open from ``at_ns`` on."""
        return self._run(category, round(category.hours * 3600) * NS, at_ns)

    def change(self, category: Category, term: Term, before: ReportStatus, after: ReportStatus, at_ns: int) -> Term:
        """The term after a change of status at ``at_ns``."""
        if before == "closed" and after != "closed":
            return self.start(category, at_ns)
        left_ns = term.left_ns
        if term.due_ns is not None:
            left_ns = max(0, left_ns - self.spent(category, term.from_ns, at_ns))
        if after in ("waiting", "closed"):
            return Term(left_ns, at_ns, None)
        return self._run(category, left_ns, at_ns)

    def spent(self, category: Category, from_ns: int, to_ns: int) -> int:
        """Time that counts between two instants."""
        if category.clock == "working":
            return self._calendar.between(from_ns, to_ns)
        return max(0, to_ns - from_ns)

    def _run(self, category: Category, left_ns: int, at_ns: int) -> Term:
        due_ns = self._calendar.add(at_ns, left_ns) if category.clock == "working" else at_ns + left_ns
        return Term(left_ns, at_ns, due_ns)
