"""What a site file says about signal heads: which lamps they have, and whose signal groups they tell.

As in ``references``: judged on the raw tables, parts of the wrong type are passed over.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from smartstream.config.mistakes import Mistake, show
from smartstream.config.raw import Raw, tables

_KEYS = ("signal", "lamps", "arrow")


def check_heads(raw: Raw) -> list[Mistake]:
    """Mistakes of the zones of kind ``signal_head``, and of the sources of signal groups."""
    return [*_zones(raw), *_sources(raw)]


def _zones(raw: Raw) -> Iterator[Mistake]:
    groups = {
        junction["id"]: [g.get("id") for _, g in tables(junction, "signal")]
        for _, junction in tables(raw, "junction")
        if isinstance(junction.get("id"), str)
    }
    readers: dict[tuple[str, str], Any] = {}
    for path, camera in tables(raw, "camera"):
        junction = camera.get("junction")
        for zone_path, zone in tables(camera, "zone", path):
            if zone.get("kind") != "signal_head":
                for key in _KEYS:
                    if zone.get(key) is not None:
                        yield Mistake(f"{zone_path}.{key}", show(zone[key]), "none: only a signal_head has lamps")
                continue
            yield from _head(zone, zone_path)
            for name in _names(zone.get("signal")):
                if not isinstance(junction, str):
                    continue
                known = groups.get(junction)
                if known is not None and name not in known:
                    there = ", ".join(show(k) for k in known[:8]) or "there is none"
                    wanted = f"the id of a [[junction.signal]] of {show(junction)} ({there})"
                    yield Mistake(f"{zone_path}.signal", show(name), wanted)
                reader = readers.setdefault((junction, name), camera.get("id"))
                if reader != camera.get("id"):
                    found = f"{show(name)}, which {show(reader)} reads"
                    yield Mistake(f"{zone_path}.signal", found, "one camera that reads the lamps of a group")


def _head(zone: Raw, path: str) -> Iterator[Mistake]:
    points = zone.get("polygon")
    for point in points if isinstance(points, list) else ():
        numbers = [v for v in point if isinstance(v, int | float)] if isinstance(point, list) else []
        if any(not 0 <= v <= 1 for v in numbers):
            yield Mistake(f"{path}.polygon", show(point), "a signal_head inside the picture (0 to 1)")
            break
    lamps = zone.get("lamps")
    if isinstance(lamps, list):
        seen = [lamp for lamp in lamps if lamp != "hidden"]
        if zone.get("arrow") is not None and lamps != ["green"]:
            yield Mistake(f"{path}.lamps", show(lamps), 'none, or ["green"]: an arrow beside a full head has one lamp')
        elif not seen or len({str(lamp) for lamp in seen}) < len(seen):
            yield Mistake(f"{path}.lamps", show(lamps), "each colour once, and one that is not hidden")


def _sources(raw: Raw) -> Iterator[Mistake]:
    # Lists: what stands for an id may be anything, a list too.
    fed = [feed.get("junction") for _, feed in tables(raw, "signal_feed")]
    read = [
        (camera.get("junction"), name)
        for _, camera in tables(raw, "camera")
        for _, zone in tables(camera, "zone")
        if zone.get("kind") == "signal_head"
        for name in _names(zone.get("signal"))
    ]
    for path, junction in tables(raw, "junction"):
        for group_path, group in tables(junction, "signal", path):
            source, place = group.get("source"), f"{group_path}.source"
            if source == "lamps" and (junction.get("id"), group.get("id")) not in read:
                yield Mistake(place, show(source), "a [[camera.zone]] of kind signal_head with this group as `signal`")
            if source == "feed" and junction.get("id") not in fed:
                yield Mistake(place, show(source), "a [[signal_feed]] of this junction")


def _names(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [v for v in values if isinstance(v, str)]
