"""Media items: promotion taken out, near-duplicates clustered, bursts per topic and ward, links to open incidents.

Items wait for their lateness and are then taken in the order of event time, so that what is told does not depend on
how they arrived. What concerns incidents is decided pair by pair from their times alone: their order does not matter.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable
from datetime import datetime
from hashlib import blake2b
from typing import Any, Final

import msgspec

from smartstream.model.event import CloudEvent, make_event
from smartstream.model.items import DeadLetter, MediaItem
from smartstream.model.media_text import bands, clean, packed, same_shares, signature
from smartstream.model.report_text import anonymous, fold, words
from smartstream.model.state import check_version
from smartstream.model.time import NS, rfc3339
from smartstream.streams.report_categories import CATEGORIES, categorise

_VERSION: Final = 1
SPAM: Final = 0.6
"""An item of which more than this share is promotion is none."""
_ALIKE: Final = 0.5
_HOUR_NS: Final = 3600 * NS
_KEPT_NS: Final = 48 * _HOUR_NS
"""How long a cluster is open for more of the same, and a burst or an incident for its links."""
_NAMED: Final = 50
"""Sources that an event lists."""
_BURST: Final = 5
"""Distinct clusters within an hour that can be a burst; and three times what the day before would let expect."""
_BEFORE_NS, _AFTER_NS = 6 * _HOUR_NS, _HOUR_NS
_DAY_NS: Final = 24 * _HOUR_NS
_LATEST_BURSTS: Final = 1024
"""Bursts that what happened elsewhere may still be linked to: by number, since nobody knows how far the joins lag."""
_TOPICS: Final = {"crash": "accident", "crowd": "other"}
"""Kinds of incidents that go by another name among the categories of reports."""


class Happening(msgspec.Struct, frozen=True):
    """An incident or a cluster of reports that media may speak of: J-25.

    Attributes:
        name: Its id.
        topic: As the categories of reports have it.
        ward: Its ward's code, if known.
        at_ns: When it was opened.
    """

    name: str
    topic: str
    ward: str
    at_ns: int


class _Burst(msgspec.Struct, frozen=True):
    """A burst that was opened: what may be linked to it."""

    name: str
    topic: str
    ward: str
    at_ns: int


def happening(event: CloudEvent) -> Happening | None:
    """What an event opens that media may speak of."""
    _, _, class_, kind, verb, _ = event.type.split(".")
    if verb != "opened" or not (class_ == "incident" or (class_ == "report" and kind == "cluster")):
        return None
    data = event.data
    topic = str(data.get("category") or _TOPICS.get(kind, kind))
    ward = data.get("ward")
    code = ward.get("code", "") if isinstance(ward, dict) else ward or ""
    at_ns = round(datetime.fromisoformat(event.time).timestamp() * 1000) * 1_000_000
    return Happening(str(data.get("cluster") or data.get("incident") or event.id), topic, str(code), at_ns)


class MediaDesk:
    """Every media item of a site.

    Args:
        site: Site id.
        wards: Folded name of each ward to its code.
        lateness_ns: How long an item waits for earlier ones.
    """

    def __init__(self, site: str, wards: dict[str, str], lateness_ns: int) -> None:
        self._site, self._lateness = site, lateness_ns
        self._wards = sorted(((_worded(name), code) for name, code in wards.items()), key=lambda w: (-len(w[0]), w))
        self._waiting: list[tuple[int, str, int, MediaItem]] = []
        self._count = 0
        self._clusters: dict[str, dict[str, Any]] = {}
        self._bands: dict[int, list[str]] = {}
        self._seen: dict[str, int] = {}
        self._oldest_ns: int | None = None  # of what is seen
        self._pruned_ns = 0
        self._heard: dict[tuple[str, str], list[int]] = {}
        self._bursts: dict[tuple[str, str], dict[str, Any]] = {}
        self._told: dict[str, _Burst] = {}
        self._happenings: dict[str, Happening] = {}

    def take(
        self, items: Iterable[MediaItem], happened: Iterable[Happening], clock_ns: int, *, ended: bool
    ) -> list[CloudEvent | DeadLetter]:
        """Items in their order of arrival, what happened elsewhere, and the clock."""
        out: list[CloudEvent | DeadLetter] = []
        for event in happened:
            self._happenings[event.name] = event
            for _, burst in sorted(self._told.items()):
                self._link(burst, event, out)
        for item in items:
            self._count += 1
            heapq.heappush(self._waiting, (item.time_ns, item.media, self._count, item))
        until = None if ended else clock_ns - self._lateness
        while self._waiting and (until is None or self._waiting[0][0] < until):
            self._handle(heapq.heappop(self._waiting)[3], out)
        self._prune(clock_ns, ended=ended)
        return out

    def _handle(self, item: MediaItem, out: list[CloudEvent | DeadLetter]) -> None:
        self._forget(item.time_ns)
        if item.media in self._seen:
            out.append(_dead(item, "duplicate", "this item has been taken"))
            return
        self._seen[item.media] = item.time_ns
        self._oldest_ns = item.time_ns if self._oldest_ns is None else min(self._oldest_ns, item.time_ns)
        cleaned = clean(item.title, item.text, item.lang)
        if cleaned.spam_share > SPAM or not cleaned.text:
            out.append(_dead(item, "spam", f"promotion is {cleaned.spam_share:.0%} of it"))
            return
        name, fresh = self._cluster(item, cleaned.text)
        cluster = self._clusters[name]
        data = {
            "cluster": name,
            "topic": cluster["topic"],
            "ward": cluster["ward"] or None,
            "items": cluster["items"],
            "sources": cluster["sources"][:_NAMED],
            "distinct_sources": len(cluster["sources"]),
            "title": anonymous(cluster["title"]),
            "media": item.media,
            "url": item.url,
            "spam_share": cleaned.spam_share,
            "revision": cluster["items"] - 1,
            "text": f"{CATEGORIES[cluster['topic']].name}: {cluster['items']} tin, {anonymous(cluster['title'])}",
        }
        kind = ("media", "cluster", "opened" if fresh else "updated")
        out.append(self._event(kind, name, item.time_ns, f"{name}/{item.media}", data, cluster["items"] - 1))
        if fresh:
            self._burst(cluster["topic"], cluster["ward"], item.time_ns, out)

    def _cluster(self, item: MediaItem, text: str) -> tuple[str, bool]:
        """The cluster of an item, and whether it is new."""
        found = signature(text)
        keys = bands(found)
        near = list({name for key in keys for name in self._bands.get(key, ())})
        shares = same_shares([self._clusters[name]["signature"] for name in near], found)
        share, best = max(zip(shares, near, strict=True), default=(0.0, ""))
        if share >= _ALIKE:
            cluster = self._clusters[best]
            cluster["items"] += 1
            _add(cluster["sources"], item.source)
            cluster["last_ns"] = item.time_ns
            return best, False
        name = f"mc-{blake2b(item.media.encode(), digest_size=6).hexdigest()}"
        self._clusters[name] = {
            "signature": packed(found), "items": 1, "sources": [item.source], "title": item.title or text[:120],
            "topic": categorise("", text).id, "ward": self._ward(text), "last_ns": item.time_ns,
        }  # fmt: skip
        for key in keys:
            self._bands.setdefault(key, []).append(name)
        return name, True

    def _ward(self, text: str) -> str:
        """The ward that a text names; the longest name wins, so that a part of another is none."""
        said = _worded(text)
        return next((code for name, code in self._wards if name in said), "")

    def _burst(self, topic: str, ward: str, at_ns: int, out: list[CloudEvent | DeadLetter]) -> None:
        key = (topic, ward)
        heard = self._heard.setdefault(key, [])
        insort(heard, at_ns)
        del heard[: bisect_right(heard, heard[-1] - _HOUR_NS - 2 * _DAY_NS)]  # an item may be a day late
        until, since, before = (bisect_right(heard, at) for at in (at_ns, at_ns - _HOUR_NS, at_ns - _HOUR_NS - _DAY_NS))
        now, usual = until - since, (since - before) / 24
        burst = self._bursts.get(key)
        if now < _BURST or now <= 3 * usual or topic == "other":
            return
        if burst is not None and at_ns < burst["at_ns"] - _HOUR_NS:
            return  # what was a burst before the newest one is no news
        fresh = burst is None or at_ns - burst["last_ns"] > _HOUR_NS
        if fresh:
            name = _burst_name(topic, ward, at_ns)
            burst = self._bursts[key] = {"name": name, "at_ns": at_ns, "last_ns": at_ns, "n": 0}
        assert burst is not None
        burst["last_ns"], burst["n"] = max(burst["last_ns"], at_ns), burst["n"] + 1
        place = f" tại {ward}" if ward else ""
        data = {
            "burst": burst["name"],
            "topic": topic,
            "ward": ward or None,
            "stories": now,
            "usual_per_hour": round(usual, 2),
            "since": rfc3339(burst["at_ns"]),
            "revision": burst["n"] - 1,
            "text": f"Dư luận tăng đột biến về {CATEGORIES[topic].name}{place}: {now} tin trong một giờ.",
        }
        verb = "opened" if fresh else "updated"
        out.append(self._event(("media", "burst", verb), burst["name"], at_ns, burst["name"], data, data["revision"]))
        if fresh:
            told = self._told[burst["name"]] = _Burst(burst["name"], topic, ward, at_ns)
            for _, event in sorted(self._happenings.items()):
                self._link(told, event, out)

    def _link(self, burst: _Burst, event: Happening, out: list[CloudEvent | DeadLetter]) -> None:
        """J-25: from an hour after the burst to six before it, of the same topic and not of another ward."""
        near = burst.at_ns - _BEFORE_NS <= event.at_ns <= burst.at_ns + _AFTER_NS
        elsewhere = burst.ward and event.ward and burst.ward != event.ward
        if event.topic != burst.topic or not near or elsewhere:
            return
        data = {
            "burst": burst.name,
            "incident": event.name,
            "topic": burst.topic,
            "ward": burst.ward or event.ward or None,
            "revision": 0,
            "text": f"Dư luận về {CATEGORIES[burst.topic].name} gắn với sự việc {event.name}.",
        }
        name, at_ns = f"{burst.name}/{event.name}", max(burst.at_ns, event.at_ns)
        out.append(self._event(("media", "link", "opened"), burst.name, at_ns, name, data, 0))

    def _forget(self, at_ns: int) -> None:
        """What is too old to matter; looked at once an hour."""
        until = at_ns - _KEPT_NS
        if self._oldest_ns is None or self._oldest_ns > until - _HOUR_NS:
            return
        gone = {name for name, cluster in self._clusters.items() if cluster["last_ns"] < until}
        self._clusters = {name: c for name, c in self._clusters.items() if name not in gone}
        self._bands = {k: left for k, names in self._bands.items() if (left := [n for n in names if n not in gone])}
        self._seen = {name: t for name, t in self._seen.items() if t >= until}
        self._oldest_ns = min(self._seen.values(), default=None)
        self._heard = {key: t for key, t in self._heard.items() if t and t[-1] >= until}
        self._bursts = {key: b for key, b in self._bursts.items() if b["last_ns"] >= until}
        self._told = dict(list(self._told.items())[-_LATEST_BURSTS:])

    def _prune(self, clock_ns: int, *, ended: bool) -> None:
        """What happened elsewhere must not pile up while the media are silent."""
        if ended:
            self._happenings.clear()  # no burst can come any more
        elif clock_ns - self._pruned_ns >= _HOUR_NS:
            self._pruned_ns = clock_ns
            until = clock_ns - _KEPT_NS
            self._happenings = {name: h for name, h in self._happenings.items() if h.at_ns >= until}

    def _event(
        self, kind: tuple[str, str, str], name: str, at_ns: int, key: str, data: dict[str, Any], revision: int
    ) -> CloudEvent:
        return make_event(
            site=self._site, entity="media", kind=kind, subject=name, at_ns=at_ns, key=key, revision=revision, data=data
        )

    def snapshot(self) -> dict[str, Any]:
        """A copy of the state."""
        return {
            "version": _VERSION,
            "waiting": list(self._waiting),
            "count": self._count,
            "clusters": {name: {**c, "sources": list(c["sources"])} for name, c in self._clusters.items()},
            "bands": {key: list(names) for key, names in self._bands.items()},
            "seen": dict(self._seen),
            "heard": {key: list(times) for key, times in self._heard.items()},
            "bursts": {key: dict(burst) for key, burst in self._bursts.items()},
            "told": dict(self._told),
            "happenings": dict(self._happenings),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from ``snapshot``.

        Raises:
            InvalidInputError: The state is of another version.
        """
        check_version("media", state.get("version"), _VERSION)
        self._waiting, self._count = list(state["waiting"]), state["count"]
        self._clusters, self._bands, self._seen = state["clusters"], state["bands"], state["seen"]
        self._heard, self._bursts, self._told = state["heard"], state["bursts"], state["told"]
        self._happenings = state["happenings"]
        self._oldest_ns = min(self._seen.values(), default=None)


def _worded(text: str) -> str:
    """Folded words with a space around each: what is found in it is whole words."""
    return f" {' '.join(words(fold(text)))} "


def _add(names: list[str], name: str) -> None:
    """Keep it in its place, once."""
    at = bisect_left(names, name)
    if names[at : at + 1] != [name]:
        names.insert(at, name)


def _burst_name(topic: str, ward: str, at_ns: int) -> str:
    return f"mb-{blake2b(f'{topic} {ward} {at_ns}'.encode(), digest_size=6).hexdigest()}"


def _dead(item: MediaItem, reason: str, detail: str) -> DeadLetter:
    place, payload = f"line {item.line}", anonymous(f"{item.media} {item.title}")[:512]
    return DeadLetter("streams", reason, item.side, item.time_ns, place, detail, payload)
