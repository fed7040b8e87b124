"""What the tables of a site file say about each other: ids are unique and name the right kind of thing.

Works on the raw tables, so that a wrong field elsewhere does not hide these mistakes; a part of the wrong
type is passed over here, because validation has already named it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from smartstream.config.fields import LIVE_SCHEMES
from smartstream.config.heads import check_heads
from smartstream.config.mistakes import Mistake, show
from smartstream.config.raw import Raw, tables

_LINE_KINDS: Final = {
    "red_light": ("stop",),
    "yellow_light": ("stop",),
    "stop_line": ("stop",),
    "illegal_turn": ("exit",),
    "u_turn": ("exit",),
    "solid_line": ("stop", "exit", "count"),
}
_ROAD: Final = ("box", "no_stopping", "no_parking", "crosswalk", "no_u_turn", "sidewalk")
_ZONE_KINDS: Final = {
    "u_turn": _ROAD,
    "illegal_stop": _ROAD,
    "banned_class": _ROAD,
    "box_blocking": ("box",),
    "sidewalk": ("sidewalk",),
    "fail_to_yield_pedestrian": ("crosswalk",),
}
_LANE_KEY: Final = {
    "red_light": "signal",
    "yellow_light": "signal",
    "stop_line": "signal",
    "wrong_way": "direction",
    "wrong_lane": "allowed",
    "lane_arrow": "movements",
    "speeding": "speed_limit_kmh",
}
"""What at least one lane must say for the rule to have anything to judge."""
_METRES: Final = {
    "wrong_way": "min_path_m is in metres",
    "yellow_light": "dilemma_mps2 is in m/s²",
    "speeding": "speed is in km/h",
}
"""Rules that cannot work in picture units, with the reason."""


class _Ids(NamedTuple):
    """Ids of one kind of table; ``certain`` is False when one of them could not be read."""

    tables: dict[str, Raw]
    certain: bool


def check_references(raw: Raw, *, wrong: list[str]) -> list[Mistake]:
    """Mistakes between the tables; ``wrong`` are the paths that validation has already refused."""
    found: list[Mistake] = []
    junctions = _ids(raw, "junction", "junction", found)
    signals = {}
    for path, junction in tables(raw, "junction"):
        groups = _ids(junction, "signal", f"{path}.signal", found)
        if isinstance(junction.get("id"), str):
            signals[junction["id"]] = groups
    cameras = _ids(raw, "camera", "camera", found)
    found += _check_joins(raw, junctions, cameras, found)
    for path, feed in tables(raw, "signal_feed"):
        found += _unknown(feed, "junction", junctions, path, "the id of a [[junction]]")
    for path, camera in tables(raw, "camera"):
        broken = any(w.startswith(path) for w in wrong)
        found += _unknown(camera, "junction", junctions, path, "the id of a [[junction]]")
        found += _check_source(camera, path)
        junction_id = camera.get("junction")
        if isinstance(junction_id, str) and (known := signals.get(junction_id)) is not None:
            for lane_path, lane in tables(camera, "lane", path):
                wanted = f"the id of a [[junction.signal]] of {show(junction_id)}"
                found += _unknown(lane, "signal", known, lane_path, wanted)
                if isinstance(arrows := lane.get("movement_signal"), dict):
                    for movement in arrows:
                        found += _unknown(arrows, movement, known, f"{lane_path}.movement_signal", wanted)
        _check_camera(camera, path, broken, found)
    return found + check_heads(raw)


def _check_source(camera: Raw, path: str) -> Iterator[Mistake]:
    url = camera.get("url")
    first = url[0] if isinstance(url, list) and url else url
    scheme = first.partition(":")[0] if isinstance(first, str) else ""
    start = camera.get("start_time")
    if scheme == "file" and start is None:
        yield Mistake(f"{path}.start_time", "nothing", "the event time of the file's first frame")
    if scheme in LIVE_SCHEMES and start is not None:
        yield Mistake(f"{path}.start_time", show(start), "none: a live camera has its own clock")
    if camera.get("detector") in ("onnx", "tensorrt") and camera.get("model") is None:
        yield Mistake(f"{path}.model", "nothing", f"the model file of the {camera['detector']} detector")


def _check_camera(camera: Raw, path: str, broken: bool, found: list[Mistake]) -> None:  # noqa: FBT001
    lanes = _ids(camera, "lane", f"{path}.lane", found)
    lines = _ids(camera, "line", f"{path}.line", found)
    zones = _ids(camera, "zone", f"{path}.zone", found)
    for line_path, line in tables(camera, "line", path):
        if line.get("movement") is not None and line.get("kind") in ("stop", "count"):
            found.append(Mistake(f"{line_path}.movement", show(line["movement"]), 'a movement on "exit" lines only'))
    for lane_path, lane in tables(camera, "lane", path):
        found += _check_arrows(lane, lane_path, lines)
    seen: dict[tuple[Any, ...], str] = {}
    for rule_path, rule in tables(camera, "rule", path):
        found += _check_rule(rule, rule_path, camera, lanes, lines, zones)
        if not broken:  # an unreadable lane or calibration may be the one that is needed
            found += _check_needs(rule, rule_path, camera, lanes)
        what = tuple(repr(rule.get(k)) for k in ("kind", "line", "zone", "lane", "lanes", "classes", "hours", "days"))
        if what in seen and isinstance(rule.get("kind"), str):
            found.append(Mistake(rule_path, f"the same rule as {seen[what]}", "each rule once"))
        seen.setdefault(what, rule_path)


def _check_arrows(lane: Raw, path: str, lines: _Ids) -> Iterator[Mistake]:
    """A movement with a light of its own must be one that the lane allows, and an exit line must show it."""
    arrows = lane.get("movement_signal")
    if not isinstance(arrows, dict) or not arrows:
        return
    if lane.get("signal") is None:
        yield Mistake(f"{path}.signal", "nothing", "the group of the other movements, beside movement_signal")
    shown = {line.get("movement") for line in lines.tables.values() if line.get("kind") == "exit"}
    for movement in arrows:
        at = f"{path}.movement_signal.{movement}"
        if isinstance(lane.get("movements"), list) and movement not in lane["movements"]:
            yield Mistake(at, "a movement that the lane does not allow", "one of its `movements`")
        if movement not in shown and lines.certain:
            wanted = f'an exit line with movement "{movement}": only there it shows who obeyed which light'
            yield Mistake(at, "no such exit line", wanted)


def _check_rule(rule: Raw, path: str, camera: Raw, lanes: _Ids, lines: _Ids, zones: _Ids) -> Iterator[Mistake]:
    kind, of = rule.get("kind"), f"of {show(camera.get('id'))}" if "id" in camera else "of this camera"
    if not isinstance(kind, str):
        return
    if kind in _LINE_KINDS:
        yield from _unknown(rule, "line", lines, path, f"the id of a line {of}")
        yield from _wrong_kind(rule, "line", lines, path, _LINE_KINDS[kind])
    if kind in _ZONE_KINDS:
        yield from _unknown(rule, "zone", zones, path, f"the id of a zone {of}")
        yield from _wrong_kind(rule, "zone", zones, path, _ZONE_KINDS[kind])
    yield from _unknown(rule, "lane", lanes, path, f"the id of a lane {of}")
    for i, lane in enumerate(rule["lanes"] if isinstance(rule.get("lanes"), list) else ()):
        yield from _unknown({f"lanes[{i}]": lane}, f"lanes[{i}]", lanes, path, f"the id of a lane {of}")
        needed = _LANE_KEY.get(kind)
        if needed and isinstance(lane, str) and lane in lanes.tables and lanes.tables[lane].get(needed) is None:
            yield Mistake(f"{path}.lanes[{i}]", f"{show(lane)} without `{needed}`", f"a lane with `{needed}`")
    if kind == "u_turn":
        line = lines.tables.get(rule["line"]) if isinstance(rule.get("line"), str) else None
        if line is not None and line.get("kind") == "exit" and line.get("movement") != "u_turn":
            yield Mistake(f"{path}.line", f"{show(rule['line'])} without movement u_turn", "an exit line with it")


def _check_needs(rule: Raw, path: str, camera: Raw, lanes: _Ids) -> Iterator[Mistake]:
    """What the camera must offer for the rule to work."""
    kind = rule.get("kind")
    if not isinstance(kind, str):
        return
    key = _LANE_KEY.get(kind)
    if key and rule.get("lanes") is None and not any(lane.get(key) is not None for lane in lanes.tables.values()):
        yield Mistake(path, f"no lane with `{key}`", f"at least one: {kind} judges by it")
    if kind in _METRES and camera.get("calibration") is None:
        yield Mistake(path, "no [camera.calibration]", f"one: {_METRES[kind]}")
    if kind == "lane_arrow":
        exits = [t for _, t in tables(camera, "line") if t.get("kind") == "exit" and t.get("movement") is not None]
        if not exits:
            yield Mistake(path, "no exit line with `movement`", "at least one: a movement shows only there")
    for one, other in (
        (("zone", "line"),) if kind == "u_turn" else (("lane", "zone"),) if kind == "banned_class" else ()
    ):
        if rule.get(one) is None and rule.get(other) is None:
            yield Mistake(path, f"neither `{one}` nor `{other}`", "one of them or both")


def _check_joins(raw: Raw, junctions: _Ids, cameras: _Ids, found: list[Mistake]) -> Iterator[Mistake]:
    """What the tables of the joins name must be there; each list of lanes is of one camera."""
    for path, road in tables(raw, "road"):
        yield from _unknown(road, "start", junctions, path, "the id of a [[junction]]")
        yield from _unknown(road, "end", junctions, path, "the id of a [[junction]]")
        for key in ("approach", "feeder", "entry"):
            names = [n for n in road.get(key, ()) if isinstance(n, str)] if isinstance(road.get(key), list) else []
            if len({n.split("/")[0] for n in names}) > 1:
                yield Mistake(f"{path}.{key}", "lanes of several cameras", "lanes of one camera")
            for name in names:
                camera, _, lane = name.partition("/")
                table = cameras.tables.get(camera)
                lanes = {t.get("id") for _, t in tables(table, "lane")} if table is not None else set()
                if lane and cameras.certain and lane not in lanes:
                    yield Mistake(f"{path}.{key}", show(name), "camera/lane of a [[camera.lane]]")
    for path, gateway in tables(raw, "gateway"):
        yield from _unknown(gateway, "camera", cameras, path, "the id of a [[camera]]")
        table = cameras.tables.get(str(gateway.get("camera")))
        lines = {t.get("id") for _, t in tables(table, "line")} if table is not None else set()
        if table is not None and isinstance(gateway.get("line"), str) and gateway["line"] not in lines:
            yield Mistake(f"{path}.line", show(gateway["line"]), "the id of a line of that camera")
    _ids(raw, "gateway", "gateway", found)
    nodes = _ids(raw, "network", "network", found)
    for path, node in tables(raw, "network"):
        yield from _unknown(node, "parent", nodes, path, "the id of a [[network]]")
        yield from _each(node, "cameras", cameras, path, "the id of a [[camera]]")
    for path, gauge in tables(raw, "gauge"):
        yield from _each(gauge, "junctions", junctions, path, "the id of a [[junction]]")


def _each(table: Raw, key: str, among: _Ids, path: str, wanted: str) -> Iterator[Mistake]:
    names = table.get(key, [])
    for i, name in enumerate(names if isinstance(names, list) else ()):
        if isinstance(name, str) and name not in among.tables and among.certain:
            yield Mistake(f"{path}.{key}[{i}]", show(name), wanted)


def _wrong_kind(rule: Raw, key: str, among: _Ids, path: str, kinds: tuple[str, ...]) -> Iterator[Mistake]:
    name = rule.get(key)
    table = among.tables.get(name) if isinstance(name, str) else None
    known = ("stop", "exit", "count", *_ROAD, "signal_head")
    if table is not None and table.get("kind") in known and table["kind"] not in kinds:
        wanted = " or ".join(f'"{k}"' for k in kinds)
        yield Mistake(f"{path}.{key}", f'{show(name)} of kind "{table["kind"]}"', f"a {key} of kind {wanted}")


def _unknown(table: Raw, key: str, among: _Ids, path: str, wanted: str) -> Iterator[Mistake]:
    name = table.get(key)
    if isinstance(name, str) and name not in among.tables and among.certain:
        there = ", ".join(f'"{k}"' for k in list(among.tables)[:8]) or "there is none"
        yield Mistake(f"{path}.{key}", show(name), f"{wanted} ({there})")


def _ids(table: Raw, key: str, path: str, found: list[Mistake]) -> _Ids:
    tables: dict[str, Raw] = {}
    rows = table.get(key, [])
    certain = isinstance(rows, list)
    for i, row in enumerate(rows if isinstance(rows, list) else ()):
        name = row.get("id") if isinstance(row, dict) else None
        if not isinstance(name, str):
            certain = False
        elif name in tables:
            found.append(Mistake(f"{path}[{i}].id", f"{show(name)} for the second time", "an id of its own"))
        else:
            tables[name] = row
    return _Ids(tables, certain)
