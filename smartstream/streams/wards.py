"""Which ward a place belongs to, by the hierarchy in force at an instant.

Districts ended and wards were redrawn on 1 July 2025 (resolution 202/2025/QH15), so the same place has one ward
before and another after; a series never adds up over both. The polygons come from GeoJSON: one file, or a folder as
the open data set ``thanglequoc/vietnamese-provinces-database`` (MIT) lays it out, one ward per file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec
import shapely
from shapely.geometry import Point, shape
from shapely.geometry.base import BaseGeometry

from smartstream.errors import InvalidInputError

TWO_TIER: Final = date(2025, 7, 1)
"""First day of provinces and wards without districts."""


class Ward(msgspec.Struct, frozen=True):
    """A ward, commune or special zone.

    Attributes:
        code: Administrative code, unique within its basis.
        name: Full name, such as ``Phường Phổ Yên``.
        basis: The hierarchy it belongs to: ``2-tier`` since 1 July 2025, ``3-tier`` before.
    """

    code: str
    name: str
    basis: str


class WardIndex:
    """Finds the ward of a place.

    Args:
        path: GeoJSON file of polygons, or a folder with such files in it or below.
        timezone: Of the days on which a polygon holds.

    Raises:
        InvalidInputError: It cannot be read, holds no polygon, or one of them is no polygon.

    A feature's properties are ``code``, ``fullName`` or ``name``, and optionally ``validFrom`` and ``validTo``,
    the first and the last day on which it holds. Without them it holds since 1 July 2025.
    """

    def __init__(self, path: Path, timezone: ZoneInfo) -> None:
        self._timezone = timezone
        self._wards: list[tuple[date, date, Ward]] = []
        shapes: list[BaseGeometry] = []
        for file in _files(path):
            for place, feature in _features(file):
                since, until, ward, polygon = _ward(place, feature)
                self._wards.append((since, until, ward))
                shapes.append(polygon)
        if not shapes:
            raise InvalidInputError(f"{path}: expected GeoJSON polygons of wards, found none")
        shapely.prepare(shapes)
        self._tree = shapely.STRtree(shapes)

    def __len__(self) -> int:
        return len(self._wards)

    def names(self) -> dict[str, str]:
        """Name to code of the wards of the newest hierarchy."""
        newest = max(since for since, _, _ in self._wards)
        return {ward.name: ward.code for since, _, ward in self._wards if since == newest}

    def find(self, lat: float, lon: float, at_ns: int) -> Ward | None:
        """The ward that covers a place at an instant; on a border the one with the smaller code."""
        day = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_ns // 1_000)).astimezone(self._timezone)
        hits = self._tree.query(Point(lon, lat), predicate="covered_by")
        found = [ward for since, until, ward in (self._wards[int(i)] for i in hits) if since <= day.date() <= until]
        return min(found, key=lambda ward: ward.code, default=None)


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    below = sorted([*path.rglob("*.geojson"), *path.rglob("*.json")])
    wards = [file for file in below if file.parent.name == "wards"]  # beside them lie the provinces
    return wards or below


def _features(file: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        read = json.loads(file.read_bytes())
    except OSError as e:
        raise InvalidInputError(f"{file}: expected a readable file, found: {e.strerror}") from None
    except (ValueError, RecursionError) as e:
        raise InvalidInputError(f"{file}: expected GeoJSON, found: {e}") from None
    features = read.get("features") if isinstance(read, dict) else None
    if not isinstance(features, list):
        raise InvalidInputError(f"{file}: expected a FeatureCollection")
    for i, feature in enumerate(features):
        place = f"{file}: features[{i}]"
        if not isinstance(feature, dict) or not isinstance(feature.get("properties"), dict):
            raise InvalidInputError(f"{place}: expected a Feature with properties")
        yield place, feature


def _ward(place: str, feature: dict[str, Any]) -> tuple[date, date, Ward, BaseGeometry]:
    named = feature["properties"]
    code = named.get("code", feature.get("id"))
    if not isinstance(code, str) or not code:
        raise InvalidInputError(f"{place}: expected properties.code, found {code!r}")
    try:
        since = date.fromisoformat(named.get("validFrom") or TWO_TIER.isoformat())
        until = date.fromisoformat(named.get("validTo") or date.max.isoformat())
    except (TypeError, ValueError):
        raise InvalidInputError(f"{place}: expected validFrom and validTo as YYYY-MM-DD") from None
    try:
        polygon = shape(feature["geometry"])
    except Exception:  # whatever shapely makes of a foreign structure
        raise InvalidInputError(f"{place}: expected a geometry") from None
    if polygon.geom_type not in ("Polygon", "MultiPolygon") or polygon.is_empty:
        raise InvalidInputError(f"{place}: expected a Polygon or MultiPolygon, found {polygon.geom_type}")
    if not polygon.is_valid:
        polygon = shapely.make_valid(polygon)
    name = named.get("fullName") or named.get("name") or code
    return since, until, Ward(code, str(name), "2-tier" if since >= TWO_TIER else "3-tier"), polygon
