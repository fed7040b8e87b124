"""Reports of one thing, told apart from reports of many (J-12).

Two reports of a category may speak of the same thing when they lie near each other in place and time; further apart,
their words must have something in common as well. Messages are not reporters: a hundred from one hand are one voice.
"""

from __future__ import annotations

import heapq
import math
from hashlib import blake2b
from typing import Any, Final, Literal, NamedTuple

import msgspec

from smartstream.model.report_text import fold, likeness, pairs, voice_of
from smartstream.model.time import NS
from smartstream.streams.report_categories import CATEGORIES, Category

_CELL_DEG: Final = 0.005  # half a kilometre: the widest radius reaches no further than the next cells
_METRES_PER_DEG: Final = 111_195.0
_CLOSE: Final = 1 / 3  # of the radius: so near, place alone is enough
_SAME_TEXT: Final = 0.6  # likeness that stands in for a missing place
_OTHER: Final = "other"  # what no words told apart: place alone says nothing
_NOBODY: Final[frozenset[str]] = frozenset()
_NAMED: Final = 50  # members that an event lists
_CAMPAIGN: Final = 5  # messages from which on few voices are remarkable

Verb = Literal["opened", "updated", "closed"]


class Voice(NamedTuple):
    """What a report brings to a cluster.

    Attributes:
        report: Its id.
        at_ns: When it was made.
        category: Id of its category.
        position: Latitude and longitude, if known.
        address: As given.
        text: Its description.
        reporter: Pseudonym, empty when unknown.
        ward: Code of its ward, if known.
    """

    report: str
    at_ns: int
    category: str
    position: tuple[float, float] | None
    address: str
    text: str
    reporter: str
    ward: str | None


class Cluster(msgspec.Struct):
    """Reports of one thing."""

    id: str
    category: str
    first_ns: int
    last_ns: int
    members: list[str]
    reporters: set[str]
    placed: int
    lat_sum: float
    lon_sum: float
    address: str
    ward: str | None
    words: frozenset[str]
    told: int = 0
    revision: int = -1

    @property
    def position(self) -> tuple[float, float] | None:
        """Mean of the places given."""
        return None if not self.placed else (self.lat_sum / self.placed, self.lon_sum / self.placed)


class ClusterNews(NamedTuple):
    """What became of a cluster."""

    verb: Verb
    at_ns: int
    revision: int
    data: dict[str, Any]


class Clusters:
    """Clusters that reports may still join. A single report is none; the second one opens it."""

    def __init__(self) -> None:
        self._open: dict[str, Cluster] = {}
        self._cells: dict[tuple[str, int, int], set[str]] = {}
        self._spoken: dict[tuple[str, str], set[str]] = {}  # by category and a word or an address
        self._unplaced: set[str] = set()
        self._ends: list[tuple[int, str]] = []  # no later than the true end of each open cluster

    def __len__(self) -> int:
        return len(self._open)

    def add(self, voice: Voice) -> tuple[str, list[ClusterNews]]:
        """The cluster a report belongs to, new or known, and what there is to tell.

        While a cluster is small every report is told, later every tenth part of it: a storm brings thousands.
        """
        found = self._match(voice)
        if found is None:
            self._found(voice)
            return _id(voice), []
        self._join(found, voice)
        size = len(found.members)
        if size >= found.told + max(1, found.told // 10):
            found.told = size
            return found.id, [_news(found, "opened" if found.revision < 0 else "updated", voice.at_ns)]
        return found.id, []

    def expire(self, until_ns: int) -> list[ClusterNews]:
        """Close what no report before ``until_ns`` or after can join any more."""
        ended = []
        while self._ends and self._ends[0][0] < until_ns:
            name = heapq.heappop(self._ends)[1]
            cluster = self._open.get(name)
            if cluster is None:
                continue
            if self._end(cluster) < until_ns:
                ended.append((self._end(cluster), self._open.pop(name)))
                self._unfile(cluster)
            else:
                heapq.heappush(self._ends, (self._end(cluster), name))  # reports have joined it since
        ended.sort(key=lambda e: (e[0], e[1].id))
        return [_news(cluster, "closed", end_ns) for end_ns, cluster in ended if cluster.revision >= 0]

    def _match(self, voice: Voice) -> Cluster | None:
        category = CATEGORIES[voice.category]
        words = pairs(voice.text)
        fits = []
        for name in self._near(voice, category, words):
            cluster = self._open[name]
            window_ns = round(category.window_h * 3600) * NS
            if not cluster.first_ns - window_ns <= voice.at_ns <= cluster.last_ns + window_ns:
                continue
            distance = _distance(voice.position, cluster.position)
            alike = likeness(words, cluster.words)
            if distance is None:
                same = voice.ward is None or cluster.ward is None or voice.ward == cluster.ward
                address = bool(voice.address) and fold(voice.address) == fold(cluster.address)
                if same and (address or alike >= _SAME_TEXT):
                    fits.append((category.radius_m, -alike, cluster.id))
            elif distance <= category.radius_m and (
                alike >= category.alike or (distance <= category.radius_m * _CLOSE and category.id != _OTHER)
            ):
                fits.append((distance, -alike, cluster.id))
        return self._open[min(fits)[2]] if fits else None

    def _near(self, voice: Voice, category: Category, words: frozenset[str]) -> set[str]:
        """Every cluster of the category that may match; where place says nothing, those of like words."""
        alike = self._speaking(category, _keys(words, voice.address, _SAME_TEXT))
        if voice.position is None:
            return set().union(*alike)
        lat, lon = voice.position
        row, column = _cell(lat, lon)
        wide = max(0.01, math.cos(math.radians(min(abs(lat) + 1, 89))))
        reach = 1 + int(category.radius_m / (_METRES_PER_DEG * wide * _CELL_DEG))
        near = set().union(*(shelf & self._unplaced for shelf in alike))  # costs what the smaller of both holds
        spoken = self._speaking(category, _keys(words, voice.address, _least(category)))
        for i in (-1, 0, 1):
            for j in range(-reach, reach + 1):
                there = self._cells.get((category.id, row + i, column + j), _NOBODY)
                near |= {name for name in there if category.id != _OTHER or any(name in shelf for shelf in spoken)}
        return near

    def _speaking(self, category: Category, keys: list[str]) -> list[set[str]]:
        return [shelf for key in keys if (shelf := self._spoken.get((category.id, key)))]

    def _found(self, voice: Voice) -> None:
        cluster = Cluster(
            id=_id(voice),
            category=voice.category,
            first_ns=voice.at_ns,
            last_ns=voice.at_ns,
            members=[voice.report],
            reporters={voice_of(voice.reporter, voice.text)},
            placed=0 if voice.position is None else 1,
            lat_sum=0.0 if voice.position is None else voice.position[0],
            lon_sum=0.0 if voice.position is None else voice.position[1],
            address=voice.address,
            ward=voice.ward,
            words=pairs(voice.text),
            told=1,
        )
        self._take(cluster)

    def _take(self, cluster: Cluster) -> None:
        self._open[cluster.id] = cluster
        heapq.heappush(self._ends, (self._end(cluster), cluster.id))
        self._file(cluster)

    def _join(self, cluster: Cluster, voice: Voice) -> None:
        self._unfile(cluster)
        cluster.members.append(voice.report)
        cluster.reporters.add(voice_of(voice.reporter, voice.text))
        cluster.first_ns = min(cluster.first_ns, voice.at_ns)
        cluster.last_ns = max(cluster.last_ns, voice.at_ns)
        cluster.address = cluster.address or voice.address
        cluster.ward = cluster.ward or voice.ward
        if voice.position is not None:
            cluster.placed += 1
            cluster.lat_sum += voice.position[0]
            cluster.lon_sum += voice.position[1]
        self._file(cluster)

    def _file(self, cluster: Cluster) -> None:
        for shelves, key in self._shelves(cluster):
            shelves.setdefault(key, set()).add(cluster.id)
        if cluster.position is None:
            self._unplaced.add(cluster.id)

    def _unfile(self, cluster: Cluster) -> None:
        for shelves, key in self._shelves(cluster):
            shelves[key].discard(cluster.id)
            if not shelves[key]:
                del shelves[key]
        self._unplaced.discard(cluster.id)

    def _shelves(self, cluster: Cluster) -> list[tuple[dict[Any, set[str]], tuple[Any, ...]]]:
        category = CATEGORIES[cluster.category]
        keys = _keys(cluster.words, cluster.address, _least(category))
        shelves: list[tuple[dict[Any, set[str]], tuple[Any, ...]]] = [(self._spoken, (category.id, k)) for k in keys]
        if cluster.position is not None:
            shelves.append((self._cells, (category.id, *_cell(*cluster.position))))
        return shelves

    @staticmethod
    def _end(cluster: Cluster) -> int:
        return cluster.last_ns + round(CATEGORIES[cluster.category].window_h * 3600) * NS

    def snapshot(self) -> bytes:
        """The open clusters."""
        return _encoder.encode(list(self._open.values()))

    def restore(self, state: bytes) -> None:
        """Go on from ``snapshot``."""
        for cluster in _decoder.decode(state):
            self._take(cluster)


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(list[Cluster])


def _news(cluster: Cluster, verb: Verb, at_ns: int) -> ClusterNews:
    cluster.revision += 1
    position = cluster.position
    reports, voices = len(cluster.members), len(cluster.reporters)
    data = {
        "cluster": cluster.id,
        "category": cluster.category,
        "reports": reports,
        "distinct_reporters": voices,
        "position": None if position is None else {"lat": round(position[0], 6), "lon": round(position[1], 6)},
        "ward": cluster.ward,
        "primary": cluster.members[0],
        "members": cluster.members[:_NAMED],
        "few_voices": reports >= _CAMPAIGN and 2 * voices < reports,
    }
    return ClusterNews(verb, at_ns, cluster.revision, data)


def _id(voice: Voice) -> str:
    return blake2b(f"{voice.category}\x1f{voice.report}".encode(), digest_size=6).hexdigest()


def _cell(lat: float, lon: float) -> tuple[int, int]:
    return math.floor(lat / _CELL_DEG), math.floor(lon / _CELL_DEG)


def _least(category: Category) -> float:
    """The least likeness by which two of a category may match."""
    return min(_SAME_TEXT, category.alike) if category.id == _OTHER else _SAME_TEXT


def _keys(words: frozenset[str], address: str, least: float) -> list[str]:
    """What two that are alike enough to match without a place have one of in common: an address, or a word.

    The prefix filter of set similarity joins (Chaudhuri, Ganti, Kaushik 2006): of two sets in one order with a Jaccard
    likeness of at least t, the first n - ceil(t n) + 1 members of each share one; the longest, the rarest, first. One
    side may show more of them, for a lower t.
    """
    count = len(words) - math.ceil(least * len(words) - 1e-9) + 1
    keys = sorted(words, key=lambda word: (-len(word), word))[:count]
    return [*keys, f"@{fold(address)}"] if address else keys


def _distance(a: tuple[float, float] | None, b: tuple[float, float] | None) -> float | None:
    """Metres between two places that are near each other."""
    if a is None or b is None:
        return None
    wide = math.cos(math.radians((a[0] + b[0]) / 2))
    return math.hypot(a[0] - b[0], (a[1] - b[1]) * wide) * _METRES_PER_DEG
