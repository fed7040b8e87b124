"""Events about reports: what may be published of them, clusters, time missed. Nothing here names a citizen."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

import msgspec

from smartstream.model.event import CloudEvent, make_event
from smartstream.model.items import Report, ReportStatus
from smartstream.model.report_text import anonymous
from smartstream.model.time import NS, rfc3339
from smartstream.streams.report_categories import CATEGORIES, Category
from smartstream.streams.report_clusters import ClusterNews
from smartstream.streams.wards import Ward


class Shown(msgspec.Struct, frozen=True):
    """What may be published of a report: freed of personal data, nothing at all of what is evidence."""

    service_code: str
    description: str
    address: str
    media_url: str
    position: tuple[float, float] | None

    def with_news(self, later: Shown) -> Shown:
        """This, with what a later line says anew; it may leave out what was said before."""
        return Shown(
            later.service_code or self.service_code,
            later.description or self.description,
            later.address or self.address,
            later.media_url or self.media_url,
            later.position or self.position,
        )


class ReportEvents:
    """Makes the events of a site's reports.

    Args:
        site: Site id.
        timezone: Of the times that people read.
    """

    def __init__(self, site: str, timezone: tzinfo) -> None:
        self._site = site
        self._timezone = timezone

    def shown(self, report: Report, category: Category) -> Shown:
        """What may be published; pictures never are, since nobody has looked at the faces in them."""
        if not category.public:
            return Shown(report.service_code, "", "", "", report.position)
        return Shown(
            report.service_code,
            anonymous(report.description),
            anonymous(report.address),
            report.media_url,
            report.position,
        )

    def received_data(
        self,
        name: str,
        category: Category,
        ward: Ward | None,
        shown: Shown,
        status: ReportStatus,
        received_ns: int,
        due_ns: int | None,
    ) -> dict[str, Any]:
        """What a report says, without its revision."""
        text = f"{category.name}{_at(ward)}: tiếp nhận lúc {self._local(received_ns)}, chuyển {category.agency}."
        return {
            "report": name,
            "category": category.id,
            "service_code": shown.service_code,
            "agency": category.agency,
            "ward": _ward(ward),
            "position": None if shown.position is None else {"lat": shown.position[0], "lon": shown.position[1]},
            "address": shown.address,
            "description": shown.description,
            "media": bool(shown.media_url),
            "public": category.public,
            "status": status,
            "due": None if due_ns is None else rfc3339(due_ns),
            "text": text,
        }

    def received(self, name: str, at_ns: int, data: dict[str, Any], revision: int) -> CloudEvent:
        """``report.received.observed``: at the time the report was made, with a revision for every change."""
        return self._event(("report", "received", "observed"), name, at_ns, name, data, revision)

    def cluster(self, news: ClusterNews) -> CloudEvent:
        """``report.cluster.opened|updated|closed``."""
        category = CATEGORIES[news.data["category"]]
        reports, voices = news.data["reports"], news.data["distinct_reporters"]
        said = f"{category.name}: {reports} phản ánh của {voices} người"
        text = f"{said}, không còn phản ánh mới." if news.verb == "closed" else f"{said}."
        data = {**news.data, "text": text}
        name = str(news.data["cluster"])
        return self._event(("report", "cluster", news.verb), name, news.at_ns, name, data, news.revision)

    def overdue(self, name: str, category: str, ward: Ward | None, due_ns: int, revision: int) -> CloudEvent:
        """``report.sla.opened``: the time to answer is over."""
        found = CATEGORIES[category]
        data = {
            **self._term(name, found, ward, due_ns),
            "text": f"Quá hạn xử lý phản ánh {name} ({found.name}{_at(ward)}), hạn {self._local(due_ns)}.",
        }
        return self._event(("report", "sla", "opened"), name, due_ns, name, data, 2 * revision)

    def answered(
        self,
        name: str,
        category: str,
        ward: Ward | None,
        at_ns: int,
        due_ns: int,
        late_ns: int,
        revision: int,
        *,
        wrong: bool,
    ) -> CloudEvent:
        """``report.sla.closed``: answered too late, or, ``wrong``, in time after all."""
        found = CATEGORIES[category]
        data = {**self._term(name, found, ward, due_ns), "late_s": late_ns // NS}
        if wrong:
            data["retracts"] = self.overdue(name, category, ward, due_ns, revision).id
            data["text"] = f"Đính chính: phản ánh {name} ({found.name}{_at(ward)}) không quá hạn."
        else:
            data["text"] = f"Đã xử lý phản ánh {name} ({found.name}{_at(ward)}) lúc {self._local(at_ns)}, sau hạn."
        return self._event(("report", "sla", "closed"), name, at_ns, name, data, 2 * revision + wrong)

    @staticmethod
    def _term(name: str, category: Category, ward: Ward | None, due_ns: int) -> dict[str, Any]:
        return {
            "report": name,
            "category": category.id,
            "agency": category.agency,
            "ward": _ward(ward),
            "hours": category.hours,
            "clock": category.clock,
            "due": rfc3339(due_ns),
        }

    def _event(
        self, kind: tuple[str, str, str], name: str, at_ns: int, key: str, data: dict[str, Any], revision: int
    ) -> CloudEvent:
        return make_event(
            site=self._site,
            entity="reports",
            kind=kind,
            subject=f"reports/{name}",
            at_ns=at_ns,
            key=key,
            revision=revision,
            data={**data, "revision": revision},
        )

    def _local(self, at_ns: int) -> str:
        instant = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_ns // 1_000)
        return instant.astimezone(self._timezone).strftime("%H:%M ngày %d/%m/%Y")


def _ward(ward: Ward | None) -> dict[str, str] | None:
    return None if ward is None else {"code": ward.code, "name": ward.name, "basis": ward.basis}


def _at(ward: Ward | None) -> str:
    return "" if ward is None else f" tại {ward.name}"
