"""J-10 gateway balance: what enters and leaves across the city's cordon, and what of it could be seen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final
from zoneinfo import ZoneInfo

import msgspec

from smartstream.model.classes import CLASS_CODE, VEHICLE_CLASSES
from smartstream.model.event import make_event
from smartstream.model.facts import Fact, SideKind
from smartstream.model.time import MIN_NS, NS, rfc3339
from smartstream.streams.columns import Rows
from smartstream.streams.joins.incident import Contributor
from smartstream.streams.joins.join import Join
from smartstream.streams.windows import WindowAggregate

_WIDTH_NS: Final = 300 * NS
_HOUR: Final = 12  # windows
_LEARNT: Final = 3  # windows before a camera's usual is known
_FEW, _MANY = 0.1, 0.5  # shares of the usual: a camera that counts so few while another one does so many is blind
_USUAL: Final = 10.0  # vehicles in a window, at least, that nobody fails to come by chance
_MEMORY: Final = 12
_SAID: Final = {"in": "vào", "out": "ra"}


class Gateway(msgspec.Struct, frozen=True):
    """A counting line across the cordon; ``inward`` is the direction of its crossings that enters."""

    id: str
    camera: str
    line: str
    inward: str


class GatewayBalance(Join):
    """``indicator.gateway_balance.updated`` every five minutes, with its denominator.

    An incident opens when the city fills or empties by more than a limit within an hour: a sum of windows up to now,
    all of which were seen. What flowed the other way before does not count against it. What a camera counts while it is
    dark, looks elsewhere, or counts next to nobody while others do, was not seen.

    Args:
        gateways: Of the cordon.
        limit: Vehicles in an hour.
    """

    name, kind, title = "J-10", "gateway_balance", "mất cân bằng lưu lượng cửa ngõ"
    prompt: ClassVar[frozenset[SideKind]] = frozenset()
    needs: ClassVar[frozenset[SideKind]] = frozenset({"verdict", "camera"})
    state = ("_windows_state", "_dark", "_away", "_usual", "_sums", "_next")

    def __init__(
        self,
        site: str,
        timezone: ZoneInfo,
        sides: Mapping[str, SideKind],
        *,
        gateways: tuple[Gateway, ...],
        limit: int = 300,
    ) -> None:
        super().__init__(site, timezone, sides)
        self._site, self._limit = site, limit
        self._gateways = {(g.camera, g.line): i for i, g in enumerate(gateways)}
        self._list = gateways
        self._windows = WindowAggregate(width_ns=_WIDTH_NS)
        self._dark: dict[str, int | None] = {}  # camera: dark since
        self._lost: dict[int, dict[str, int]] = {}  # window: camera: nanoseconds not seen
        self._away: set[str] = set()  # cameras that look elsewhere
        self._usual: dict[str, tuple[float, int]] = {}  # camera: vehicles in a window, windows that say so
        self._sums: list[tuple[int, int, bool]] = []  # start, net, complete
        self._next: int | None = None
        self._windows_state: Any = None

    def snapshot(self) -> bytes:
        """Everything that later answers depend on."""
        self._windows_state = (self._windows.snapshot(), self._lost)
        return super().snapshot()

    def restore(self, state: bytes) -> None:
        """Go on from ``snapshot``."""
        super().restore(state)
        windows, self._lost = self._windows_state
        self._windows.restore(windows)

    def settle(self, fact: Fact) -> None:
        """Crossings of gateways, and their cameras' darkness."""
        if self._next is None:
            self._next = fact.time_ns // _WIDTH_NS * _WIDTH_NS
        while self._next + _WIDTH_NS <= fact.time_ns:
            self._close_window()
        if fact.kind == "crossing" and (gateway := self._gateways.get((fact.entity, fact.what))) is not None:
            inward = fact.more["direction"] == self._list[gateway].inward
            code = CLASS_CODE.get(fact.more["class"], 0)
            key = (gateway * 2 + inward) * len(VEHICLE_CLASSES) + code
            self._windows.take(Rows.of([(fact.time_ns, key, 1)]), MIN_NS)
        elif fact.kind == "dark":
            self._dark[fact.entity] = fact.more["since_ns"]
        elif fact.kind == "moved" and any(fact.entity == g.camera for g in self._list):
            self._away.add(fact.entity)
            self._doubt(fact.more["since_ns"])
        elif fact.kind == "settled":
            self._away.discard(fact.entity)
        elif fact.kind == "back":
            since = self._dark.pop(fact.entity, None) or fact.more["since_ns"]
            for window in range(max(since, self._next) // _WIDTH_NS, fact.time_ns // _WIDTH_NS + 1):
                begin, end = max(since, window * _WIDTH_NS), min(fact.time_ns, (window + 1) * _WIDTH_NS)
                lost = self._lost.setdefault(window, {})
                lost[fact.entity] = lost.get(fact.entity, 0) + end - begin

    def _doubt(self, since_ns: int) -> None:
        """Windows told since then were not seen whole, as it turns out."""
        self._sums = [(at, net, seen and at + _WIDTH_NS <= since_ns) for at, net, seen in self._sums]

    def _not_counting(self, start: int, totals: Mapping[str, int]) -> set[str]:
        """Cameras whose count of a window says nothing; of the others it is their usual."""
        shares = {
            camera: totals[camera] / usual
            for camera, (usual, windows) in self._usual.items()
            if windows >= _LEARNT and usual >= _USUAL
        }
        best = max(shares.values(), default=0.0)
        blind = {c for c, share in shares.items() if share <= _FEW and best >= _MANY}
        if blind:
            self._doubt(start - _WIDTH_NS)  # it may have begun within the window before
        for camera, total in totals.items():
            if camera not in blind | self._away:
                usual, windows = self._usual.get(camera, (0.0, 0))
                windows = min(windows + 1, _MEMORY)
                self._usual[camera] = (usual + (total - usual) / windows, windows)
        return blind | self._away

    def over(self) -> None:
        """The window that the input ends in is told as far as it goes."""
        if len(self._windows):
            self._close_window()

    def _close_window(self) -> None:
        assert self._next is not None
        start, self._next = self._next, self._next + _WIDTH_NS
        closed = self._windows.take(Rows.of(), self._next - 1)
        self._tell_window(start, dict(zip(closed.key.tolist(), closed.count.tolist(), strict=True)))

    def _tell_window(self, start: int, counts: dict[int, int]) -> None:
        unseen_ns = self._unseen_ns(start, counts)
        rows = [self._row(i, counts, unseen_ns[gateway.camera]) for i, gateway in enumerate(self._list)]
        of_ns = _WIDTH_NS * len(self._list)
        seen_ns = of_ns - sum(unseen_ns[gateway.camera] for gateway in self._list)
        share = seen_ns / of_ns
        into, out = (sum(row[way] for row in rows) for way in ("in", "out"))
        self._sums = [*self._sums[-(_HOUR - 1) :], (start, into - out, share > 0.999)]
        hour = sum(n for _, n, _ in self._sums)
        at_ns = start + _WIDTH_NS
        data = {
            "indicator": "gateway_balance",
            "period": "5min",
            "at": rfc3339(start),
            "in": into,
            "out": out,
            "net": into - out,
            "net_hour": hour,
            "coverage": round(share, 4),
            "armed_s": seen_ns / NS,
            "of_s": of_ns / NS,
            "gateways": rows,
            "revision": 0,
        }
        self._out.append(
            make_event(
                site=self._site,
                entity=f"join/{self.name}",
                kind=("indicator", "gateway_balance", "updated"),
                subject="cordon",
                at_ns=at_ns,
                key="cordon",
                data=data,
            )
        )
        self._judge(at_ns, hour)

    def _unseen_ns(self, start: int, counts: dict[int, int]) -> dict[str, int]:
        """By camera: how much of a window it has not counted in."""
        lost = self._lost.pop(start // _WIDTH_NS, {})
        totals = dict.fromkeys((gateway.camera for gateway in self._list), 0)
        for key, count in counts.items():
            totals[self._list[key // len(VEHICLE_CLASSES) // 2].camera] += count
        not_counting = self._not_counting(start, totals)
        unseen_ns = {}
        for camera in totals:
            dark = self._dark.get(camera)
            blind = lost.get(camera, 0) + (0 if dark is None else max(0, start + _WIDTH_NS - max(dark, start)))
            unseen_ns[camera] = _WIDTH_NS if camera in not_counting else min(_WIDTH_NS, blind)
        return unseen_ns

    def _row(self, i: int, counts: dict[int, int], unseen_ns: int) -> dict[str, Any]:
        """What the ``i``-th gateway has counted in a window."""
        classes = len(VEHICLE_CLASSES)
        by_class = {
            way: {VEHICLE_CLASSES[c]: n for c in range(classes) if (n := counts.get((i * 2 + inward) * classes + c, 0))}
            for way, inward in (("in", 1), ("out", 0))
        }
        into, out = (sum(by_class[way].values()) for way in ("in", "out"))
        armed_s = (_WIDTH_NS - unseen_ns) / NS
        return {"gateway": self._list[i].id, "in": into, "out": out, "by_class": by_class, "armed_s": armed_s}

    def _judge(self, at_ns: int, hour: int) -> None:
        """Only spans that were seen whole open anything: the largest sum of windows up to now, an hour at most."""
        into, out = self._reached()
        for way, gathered in (("in", into), ("out", out)):
            told = next((i for i in self.incidents.values() if i.more["way"] == way), None)
            if told is None and gathered >= self._limit:
                by = Contributor("verdict", "cordon", "net", at_ns, 0.9, gathered)
                detail = f"chênh lệch {gathered} xe theo chiều {_SAID[way]} trong vòng một giờ"
                more = {"way": way, "net": gathered, "net_hour": hour, "detail": detail}
                self.open_late(Fact(at_ns, "window", "cordon"), f"cordon/{way}", [by], **more)
            elif told is not None and gathered < self._limit / 2 and self._sums[-1][2]:  # half: it must not flicker
                told.more["net"], told.more["net_hour"] = gathered, hour
                self.end(told, at_ns)
            elif told is not None and gathered >= told.more["net"] + self._limit // 2:
                told.more["net"], told.more["net_hour"] = gathered, hour
                self.support(told, Contributor("verdict", "cordon", "net", at_ns, 0.9, gathered))

    def _reached(self) -> tuple[int, int]:
        """By how much the city has filled, and emptied, within the last hour: since its least and its most."""
        net = into = out = 0
        for _, windows_net, seen in reversed(self._sums):
            if not seen:
                break
            net += windows_net
            into, out = max(into, net), max(out, -net)
        return into, out
