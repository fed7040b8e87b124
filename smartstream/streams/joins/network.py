"""J-23 network root cause: many devices fall silent at once, one node of the network explains them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final
from zoneinfo import ZoneInfo

from smartstream.model.facts import Fact, SideKind
from smartstream.model.time import NS
from smartstream.streams.joins.incident import Contributor, Incident
from smartstream.streams.joins.join import Join

MINUTE: Final = 60 * NS
_SHARE: Final = 0.6  # of a node's devices
_SESSION_NS: Final = 2 * MINUTE


class NetworkOutage(Join):
    """Opens when two or more, and three fifths, of the devices below a node are silent together.

    "Together": their last words lie within two minutes, and a station's own interval, of each other. The root is the
    highest node that this holds for; single devices are left to their own health events.

    Args:
        devices: By node the devices below it, however deep.
        silent_s: Seconds without a reading after which a station is silent.
    """

    name, kind, title = "J-23", "network_outage", "sự cố mạng"
    prompt: ClassVar[frozenset[SideKind]] = frozenset({"camera", "sensor"})
    needs: ClassVar[frozenset[SideKind]] = frozenset({"camera", "sensor"})
    state = ("_last", "_silent", "_told", "_back")

    def __init__(
        self,
        site: str,
        timezone: ZoneInfo,
        sides: Mapping[str, SideKind],
        *,
        devices: Mapping[str, frozenset[str]],
        silent_s: float = 900.0,
    ) -> None:
        super().__init__(site, timezone, sides)
        self._nodes = sorted(devices.items(), key=lambda node: (-len(node[1]), node[0]))
        self._watched = frozenset().union(*devices.values()) if devices else frozenset()
        self._after = round(silent_s * NS)
        self._last: dict[str, tuple[int, int]] = {}  # last word and the interval before it
        self._silent: dict[str, tuple[int, int]] = {}  # last word and interval of those that are silent
        self._told: dict[str, frozenset[str]] = {}  # devices by root, prompt lane
        self._back: dict[str, set[str]] = {}

    def detect(self, fact: Fact) -> None:
        """Cameras say themselves that they were dark; a station's silence is a timer."""
        device = fact.entity
        if device not in self._watched:
            return
        if fact.kind == "dark":
            self._fell_silent(device, fact.more["since_ns"], 0, fact.time_ns)
        elif fact.kind == "reading":
            before = self._last.get(device)
            if before is not None and before[0] == fact.time_ns:
                return
            gap = 0 if before is None else fact.time_ns - before[0]
            interval = gap if before is None or before[1] == 0 else min(gap, before[1])
            self._last[device] = (fact.time_ns, interval)
            self.prompt_timers.set(device, fact.time_ns + max(self._after, 3 * interval))
            self._spoke(device)
        elif fact.kind == "back":
            self._spoke(device)

    def detect_timer(self, name: str, at_ns: int) -> None:
        """A station has been silent for too long."""
        last_ns, interval = self._last[name]
        self._fell_silent(name, last_ns, interval, at_ns)

    def _spoke(self, device: str) -> None:
        if self._silent.pop(device, None) is not None:
            for root in [root for root, devices in self._told.items() if device in devices]:
                if not any(d in self._silent for d in self._told[root]):
                    del self._told[root]

    def _fell_silent(self, device: str, last_ns: int, interval: int, at_ns: int) -> None:
        self._silent[device] = (last_ns, interval)
        for node, devices in self._nodes:
            if device not in devices:
                continue
            if any(device in told and devices <= told for told in self._told.values()):
                return
            together = frozenset(
                d
                for d in devices & self._silent.keys()
                if abs(self._silent[d][0] - last_ns) <= _SESSION_NS + max(self._silent[d][1], interval)
            )
            if len(together) >= max(2, _SHARE * len(devices)):
                if any(together <= told for told in self._told.values()):
                    return
                self._told[node] = devices
                fact = Fact(at_ns, "outage", node)
                by = Contributor("camera" if interval == 0 else "sensor", device, "silent", last_ns, 0.5)
                more: dict[str, Any] = {"root": node, "suppressed": sorted(together), "of": len(devices)}
                self.open(fact, node, by, **more, detail=f"{len(together)}/{len(devices)} thiết bị mất tín hiệu")
                return

    def begin(self, incident: Incident) -> None:
        """A wider root takes over from a narrower one."""
        mine = set(incident.more["suppressed"])
        for other in [i for i in self.incidents.values() if i is not incident]:
            if set(other.more["suppressed"]) <= mine:
                other.more["superseded_by"] = incident.id
                self.end(other, incident.since_ns)
        self._back[incident.id] = set()

    def settle(self, fact: Fact) -> None:
        """Over when half of those that were silent speak again."""
        if fact.kind not in ("reading", "back"):
            return
        for incident in list(self.incidents.values()):
            if fact.entity in incident.more["suppressed"] and fact.time_ns > incident.since_ns:
                back = self._back.setdefault(incident.id, set())
                back.add(fact.entity)
                if 2 * len(back) >= len(incident.more["suppressed"]):
                    incident.last_ns = fact.time_ns
                    self.end(incident, fact.time_ns)
                    self._back.pop(incident.id, None)
