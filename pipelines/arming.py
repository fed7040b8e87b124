"""Which joins a site arms: those whose sides exist, unless its file says otherwise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

from pipelines.joins import CitySpec
from pipelines.junction_facts import JunctionFacts
from pipelines.sources import junction_sides
from smartstream.config import joins as tables
from smartstream.config.calibration import ground_from_image
from smartstream.config.camera import Camera
from smartstream.config.site import Junction, Site
from smartstream.model.facts import SideKind
from smartstream.model.time import NS
from smartstream.streams.joins.air_spike import AirSpike
from smartstream.streams.joins.camera_guard import CameraBlind, CameraDrift
from smartstream.streams.joins.camera_watch import CameraGeometry
from smartstream.streams.joins.corridor import Corridor
from smartstream.streams.joins.coverage import Coverage
from smartstream.streams.joins.crash import Crash
from smartstream.streams.joins.flood import Flood
from smartstream.streams.joins.gateway import Gateway, GatewayBalance
from smartstream.streams.joins.join import Join
from smartstream.streams.joins.network import NetworkOutage
from smartstream.streams.joins.place import Place
from smartstream.streams.joins.repeated import RepeatedVerdict
from smartstream.streams.joins.report_evidence import FalseClosing, ReportEvidence
from smartstream.streams.joins.roads import Road
from smartstream.streams.joins.signal_failure import SignalFailure
from smartstream.streams.joins.spillback import Spillback
from smartstream.streams.joins.standing import Lane
from smartstream.streams.joins.warning import Warnings

_Made = Callable[[], Join]


def city_spec(site: Site) -> CitySpec | None:
    """The joins of a site; ``None`` when none is armed."""
    zone = ZoneInfo(site.site.timezone)
    sides = _sides(site)
    said = {table.kind: table for table in site.join}
    joins: list[_Made] = []
    not_armed: dict[str, str] = {}
    watched = False
    for join, (lacks, more) in _wanted(site, sides).items():
        table = said.get(join.kind)  # type: ignore[call-overload]
        if table is not None and not table.enabled:
            not_armed[join.kind] = "disabled in the site file"
        elif lacks is not None:
            if table is not None:
                not_armed[join.kind] = f"needs {lacks}"
        else:
            watched |= "camera" in join.needs
            joins.append(_maker(join, site.site.id, zone, sides, {**more, **_parameters(table)}))
    if not joins and not site.approval_feed:
        return None
    if site.sensor_feed or site.report_feed or "coverage" in said:
        watched = True
        joins.append(_maker(Coverage, site.site.id, zone, sides, _watched(site)))
    lateness = {f"sensors/{i}": round(f.allowed_lateness_s * NS) for i, f in enumerate(site.sensor_feed)}
    lateness |= {f"reports/{i}": round(f.allowed_lateness_s * NS) for i, f in enumerate(site.report_feed)}

    def warnings() -> Warnings:
        return Warnings(site.site.id, zone, sender=site.warning.sender, radius_m=site.warning.radius_m)

    approvals = tuple(f"approvals/{i}" for i in range(len(site.approval_feed)))
    return CitySpec(site.site.id, zone, sides, lateness, tuple(joins), warnings, approvals, not_armed, watched)


def _maker(join: type[Join], site: str, zone: ZoneInfo, sides: dict[str, SideKind], more: dict[str, Any]) -> _Made:
    return lambda: join(site, zone, sides, **more)


def _parameters(table: Any) -> dict[str, Any]:
    if table is None:
        return {}
    return {key: value for key, value in table.model_dump().items() if key not in ("kind", "enabled")}


def _sides(site: Site) -> dict[str, SideKind]:
    sides: dict[str, SideKind] = {}
    for junction in site.junction:
        if not junction_sides(site, junction.id):
            continue
        for camera in site.camera:
            if camera.junction == junction.id:
                sides[f"camera/{camera.id}"] = "camera"
        sides[f"signals/{junction.id}"] = "camera"
        sides[f"verdicts/{junction.id}"] = "verdict"
        for i in range(len(site.condition_feed)):
            sides[f"conditions/{junction.id}/{i}"] = "condition"
    sides |= {f"sensors/{i}": "sensor" for i in range(len(site.sensor_feed))}
    sides |= {f"reports/{i}": "report" for i in range(len(site.report_feed))}
    return sides


def _wanted(site: Site, sides: dict[str, SideKind]) -> dict[type[Join], tuple[str | None, dict[str, Any]]]:
    """By join what it lacks here, if anything, and what it is made with."""
    kinds = set(sides.values())
    there = {junction.id: junction.position for junction in site.junction}
    cameras: dict[str, Place] = {
        camera.id: (place.lat, place.lon) for camera in site.camera if (place := there.get(camera.junction)) is not None
    }
    alarm = {gauge.station: gauge.alarm_m for gauge in site.gauge}
    roads = tuple(_road(road) for road in site.road)
    seen = {"cameras": cameras, "alarm_m": alarm}
    camera, sensor, report = "camera" in kinds, "sensor" in kinds, "report" in kinds
    rules = sum(len(c.rule) for c in site.camera)
    nodes = _devices(site.network)
    gateways = tuple(Gateway(g.id, g.camera, g.line, g.inward) for g in site.gateway)
    followed = any(road.lanes and (road.feeder_lanes or road.entry_lanes) for road in roads)
    drifting = camera and any(table.kind == "camera_drift" for table in site.join)
    witnessed = report and (camera or sensor)
    wanted: list[tuple[type[Join], bool, str, dict[str, Any]]] = [
        (SignalFailure, report and any(j.signal for j in site.junction), "a signal group and a report feed", {}),
        (Crash, camera and (sensor or report), "a camera, and a sensor or report feed", {}),
        (Flood, sensor and bool(report or camera or alarm), "a sensor feed and another side", {"alarm_m": alarm}),
        (AirSpike, sensor and (report or camera), "a sensor feed, and a camera or report feed", {}),
        (CameraBlind, len(site.camera) > 1, "several cameras", {}),
        (CameraDrift, drifting, "its own table, and a camera", {}),
        (Spillback, followed, "a [[road]] with approach, and feeder or entry", {"roads": roads}),
        (GatewayBalance, bool(gateways), "a [[gateway]]", {"gateways": gateways}),
        (Corridor, bool(roads) and "condition" in kinds, "a [[road]] and a condition feed", {"roads": roads}),
        (ReportEvidence, witnessed, "a report feed, and a camera or sensor feed", seen),
        (FalseClosing, witnessed, "a report feed, and a camera or sensor feed", seen),
        (NetworkOutage, bool(nodes), "a [[network]]", {"devices": nodes}),
        (RepeatedVerdict, rules > 1, "several rules", {}),
    ]
    return {join: (None if fits else lacks, more) for join, fits, lacks, more in wanted}


def _watched(site: Site) -> dict[str, Any]:
    """Rules and signal groups by camera, for the coverage."""
    rules = {camera.id: tuple(dict.fromkeys(rule.kind for rule in camera.rule)) for camera in site.camera}
    groups = {
        camera.id: frozenset((camera.junction, lane.signal) for lane in camera.lane if lane.signal is not None)
        for camera in site.camera
    }
    return {"rules": rules, "groups": groups}


def _road(road: tables.Road) -> Road:
    approach = [name.split("/") for name in road.approach]
    feeder = [name.split("/") for name in road.feeder]
    entry = [name.split("/") for name in road.entry]
    return Road(
        start=road.start,
        end=road.end,
        camera=approach[0][0] if approach else "",
        lanes=tuple(lane for _, lane in approach),
        travel_s=road.travel_s,
        feeder_camera=feeder[0][0] if feeder else None,
        feeder_lanes=tuple(lane for _, lane in feeder),
        entry_camera=entry[0][0] if entry else None,
        entry_lanes=tuple(lane for _, lane in entry),
    )


def _devices(nodes: tuple[tables.NetworkNode, ...]) -> dict[str, frozenset[str]]:
    """By node the devices on it and on the nodes below it."""
    below: dict[str, set[str]] = {node.id: {*node.cameras, *node.stations} for node in nodes}
    parents = {node.id: node.parent for node in nodes}
    for node in nodes:
        at, passed = node.parent, {node.id}
        while at is not None and at not in passed:
            below[at] |= {*node.cameras, *node.stations}
            passed.add(at)
            at = parents.get(at)
    return {node: frozenset(devices) for node, devices in below.items() if devices}


def _ground(camera: Camera) -> tuple[float, ...] | None:
    if camera.calibration is None:
        return None
    found = ground_from_image(camera.calibration.image, camera.calibration.world_m)
    return None if found is None else tuple(found.ravel().tolist())


def junction_facts(site: Site, junction: Junction, *, watched: bool) -> Callable[[], JunctionFacts]:
    """What makes a junction's facts for the joins; its cameras are watched where a join wants to know."""
    place = None if junction.position is None else (junction.position.lat, junction.position.lon)
    mine = [camera for camera in site.camera if camera.junction == junction.id]
    cameras = tuple(
        CameraGeometry(
            c.id,
            junction.id,
            place,
            {lane.id: Lane(lane.polygon, lane.direction, lane.signal) for lane in c.lane},
            c.scheme != "tracks",
            _ground(c),
        )
        for c in mine
    )
    groups = {(c.id, lane.id): lane.signal for c in mine for lane in c.lane if lane.signal is not None}
    guarded = any(table.kind == "camera_drift" and table.enabled for table in site.join)
    return lambda: JunctionFacts(junction.id, place, cameras if watched else (), groups, guarded=guarded)
