"""J-30 public warnings: proposed by severe incidents, approved by a person, published as CAP 1.2.

Source: OASIS Common Alerting Protocol Version 1.2 (2010); publication needs a person's decision under every law.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final
from xml.etree import ElementTree as ET
from zoneinfo import ZoneInfo

from smartstream.model.event import CloudEvent, make_event
from smartstream.model.facts import Fact
from smartstream.model.items import DeadLetter
from smartstream.model.time import parse_instant

CAP: Final = "urn:oasis:names:tc:emergency:cap:1.2"
_PROPOSES: Final[dict[str, float]] = {"flood": 0.8, "crash": 0.75, "air_spike": 0.7, "spillback": 0.95}
"""Kinds of incidents that propose a warning, from which score on; how bad it is must fit as well."""
_DEEP_M: Final = 0.2  # water that stalls motorcycles
_CALLERS: Final = 2  # reports of a crash: scratches are settled without
_STEP_UGM3: Final = 80.0  # of fine dust above what is usual
_CAP_KIND: Final = {"flood": ("Met", "Ngập nước"), "crash": ("Transport", "Tai nạn giao thông")}
_ADVICE: Final = {
    "flood": "Không đi vào đường ngập; chọn đường khác và theo dõi hướng dẫn của lực lượng chức năng.",
    "crash": "Giảm tốc độ, nhường đường cho xe cứu thương, chọn đường khác nếu có thể.",
    "air_spike": "Hạn chế hoạt động ngoài trời; đeo khẩu trang lọc bụi khi phải ra ngoài.",
    "spillback": "Chọn đường khác; không dừng trong nút giao.",
}
_KEPT_NS: Final = 48 * 3600 * 10**9


class Warnings:
    """The gate: nothing is published that nobody approved, and nothing that was taken back meanwhile.

    Args:
        site: Site id.
        timezone: Of the times in CAP.
        sender: Who the CAP message names.
        radius_m: Of the area around the incident.
    """

    def __init__(self, site: str, timezone: ZoneInfo, *, sender: str, radius_m: float = 500.0) -> None:
        self._site, self._timezone, self._sender, self._radius = site, timezone, sender, radius_m
        self._proposed: dict[str, tuple[int, str, dict[str, Any], str]] = {}  # by incident: time, kind, data, state
        self._waiting: list[tuple[int, str, Fact | dict[str, Any]]] = []  # approvals, and data of retractions
        self._sent: dict[str, int] = {}

    def incident(self, event: CloudEvent) -> list[CloudEvent]:
        """An event of a join; a proposal when it is severe enough, a withdrawal when it is taken back."""
        _, _, _, kind, verb, _ = event.type.split(".")
        name, data, at_ns = event.data["incident"], event.data, parse_instant(event.time)
        known = self._proposed.get(name)  # by its own time, for when an old one is forgotten hangs on the slowest join
        fresh = known is None or known[0] < at_ns - _KEPT_NS
        if verb in ("opened", "updated") and fresh and _is_severe(kind, data):
            self._proposed[name] = (at_ns, kind, data, "proposed")
            return [self._event("proposed", name, at_ns, {"headline": self._headline(kind, data)})]
        if verb == "retracted":
            self._waiting.append((at_ns, name, data))  # in its place among the approvals
        return []

    def approval(self, fact: Fact) -> None:
        """A person's word; it counts when every join has passed its instant."""
        self._waiting.append((fact.time_ns, fact.entity, fact))

    def advance(self, frontier_ns: int) -> list[CloudEvent | DeadLetter]:
        """Approvals up to an instant that all joins have passed."""
        ready = sorted(
            (w for w in self._waiting if w[0] <= frontier_ns), key=lambda w: (w[0], w[1], isinstance(w[2], Fact))
        )
        self._waiting = [w for w in self._waiting if w[0] > frontier_ns]
        out: list[CloudEvent | DeadLetter] = []
        for at_ns, name, what in ready:
            if isinstance(what, Fact):
                self._decide(at_ns, name, what, out)
            else:
                self._withdraw(at_ns, name, what, out)
        old = [n for n, p in self._proposed.items() if p[0] < frontier_ns - _KEPT_NS]
        for name in old:
            del self._proposed[name]
            self._sent.pop(name, None)
        return out

    def _decide(self, at_ns: int, name: str, fact: Fact, out: list[CloudEvent | DeadLetter]) -> None:
        found = self._proposed.get(name)
        if found is None or found[3] != "proposed" or found[0] > at_ns:
            why = f"already_{found[3]}" if found is not None and found[0] <= at_ns else "unknown_warning"
            detail = "expected the incident of a proposed warning"
            out.append(DeadLetter("streams", why, "approvals", at_ns, name, detail, fact.what))
            return
        approved = fact.what == "approve"
        self._proposed[name] = (*found[:3], "published" if approved else "rejected")
        who = {"by": fact.more.get("by", ""), "decision": fact.what}
        out.append(self._event("approved" if approved else "rejected", name, at_ns, who))
        if approved:
            self._sent[name] = at_ns
            out.append(self._publish(name, at_ns, "Alert", revision=0))

    def _withdraw(self, at_ns: int, name: str, data: dict[str, Any], out: list[CloudEvent | DeadLetter]) -> None:
        if (found := self._proposed.get(name)) is not None:
            self._proposed[name] = (*found[:2], data, "withdrawn")
            if found[3] == "published":
                out.append(self._publish(name, at_ns, "Cancel", revision=1))

    def _publish(self, name: str, at_ns: int, message: str, *, revision: int) -> CloudEvent:
        _, kind, data, _ = self._proposed[name]
        cap = self.cap(name, at_ns, message, kind, data)
        return self._event("published", name, at_ns, {"message": message, "cap": cap}, revision)

    def _event(self, verb: str, name: str, at_ns: int, more: dict[str, Any], revision: int = 0) -> CloudEvent:
        _, kind, data, _ = self._proposed[name]
        text = {
            "proposed": "Đề xuất cảnh báo",
            "approved": "Đã duyệt cảnh báo",
            "rejected": "Không duyệt cảnh báo",
            "published": "Cảnh báo" if more.get("message") != "Cancel" else "Hủy cảnh báo",
        }[verb]
        body = {
            "warning": name,
            "join": data["join"],
            "score": data["score"],
            "position": data["position"],
            "revision": revision,
            **more,
            "text": f"{text}: {self._headline(kind, data)}. {_ADVICE[kind]}",
        }
        return make_event(
            site=self._site,
            entity="join/J-30",
            kind=("warning", kind, verb),
            subject=f"{kind}/{name}",
            at_ns=at_ns,
            key=name,
            revision=revision,
            data=body,
        )

    def _headline(self, kind: str, data: dict[str, Any]) -> str:
        event = _CAP_KIND.get(kind, ("Env", "Bụi tăng cao" if kind == "air_spike" else "Ùn tắc"))[1]
        return f"{event} tại {data['junction'] or data['key']}"

    def cap(self, name: str, at_ns: int, message: str, kind: str, data: dict[str, Any]) -> str:
        """The CAP 1.2 message as XML."""
        ET.register_namespace("", CAP)
        alert = ET.Element(f"{{{CAP}}}alert")

        def add(parent: ET.Element, tag: str, text: str) -> None:
            ET.SubElement(parent, f"{{{CAP}}}{tag}").text = text

        sent = self._local(at_ns)
        suffix = "" if message == "Alert" else "-cancel"
        add(alert, "identifier", f"{self._site}-{name}{suffix}")
        add(alert, "sender", self._sender)
        add(alert, "sent", sent)
        add(alert, "status", "Actual")
        add(alert, "msgType", message)
        add(alert, "scope", "Public")
        if message == "Cancel":
            add(alert, "references", f"{self._sender},{self._site}-{name},{self._local(self._sent[name])}")
        info = ET.SubElement(alert, f"{{{CAP}}}info")
        category, event = _CAP_KIND.get(
            kind, ("Env", "Bụi tăng cao") if kind == "air_spike" else ("Transport", "Ùn tắc")
        )
        add(info, "language", "vi-VN")
        add(info, "category", category)
        add(info, "event", event)
        add(info, "urgency", "Immediate" if message == "Alert" else "Past")
        add(info, "severity", "Severe" if data["score"] >= 0.9 else "Moderate")
        add(info, "certainty", "Observed" if data["score"] >= 0.9 else "Likely")
        add(info, "effective", sent)
        add(info, "expires", self._local(at_ns + 6 * 3600 * 10**9))
        add(info, "headline", self._headline(kind, data)[:160])
        add(info, "description", data["text"])
        add(info, "instruction", _ADVICE[kind])
        area = ET.SubElement(info, f"{{{CAP}}}area")
        add(area, "areaDesc", data["junction"] or data["key"])
        if data["position"] is not None:
            place = data["position"]
            add(area, "circle", f"{place['lat']:.6f},{place['lon']:.6f} {self._radius / 1000:.3f}")
        return ET.tostring(alert, encoding="unicode", xml_declaration=True)

    def _local(self, at_ns: int) -> str:
        """As the standard wants it (3.3.2): whole seconds and an offset, which is ``-00:00`` where it is UTC."""
        at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=at_ns // 10**9)
        said = at.astimezone(self._timezone).isoformat()
        return f"{said[:-6]}-00:00" if said.endswith("+00:00") else said

    def snapshot(self) -> dict[str, Any]:
        """A copy of the state."""
        return {"proposed": dict(self._proposed), "waiting": list(self._waiting), "sent": dict(self._sent)}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from ``snapshot``."""
        self._proposed, self._waiting = dict(state["proposed"]), list(state["waiting"])
        self._sent = dict(state["sent"])


def _is_severe(kind: str, data: dict[str, Any]) -> bool:
    """Whether people ought to be warned of an incident: it is likely, and bad."""
    if data["score"] < _PROPOSES.get(kind, 2.0):
        return False
    if kind == "flood":
        return bool(data.get("depth_m", _DEEP_M) >= _DEEP_M)
    if kind == "crash":
        return [one["kind"] for one in data["contributors"]].count("report") >= _CALLERS
    if kind == "air_spike":
        return bool(data["level"] - data["base"] >= _STEP_UGM3)
    return True
