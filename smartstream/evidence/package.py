"""From a case to a package in the store and the event that tells of it."""

from __future__ import annotations

import errno
import itertools
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import msgspec

from smartstream._core import __version__
from smartstream.config.camera import Camera
from smartstream.config.site import Junction, Site
from smartstream.evidence.canonical import digest
from smartstream.evidence.chain import Packed
from smartstream.evidence.desk import AROUND_NS, GAP_NS, Case
from smartstream.evidence.pictures import Pictures, Ring, take_pictures
from smartstream.evidence.store import EvidenceStore, instant
from smartstream.model.event import CloudEvent, make_event
from smartstream.model.time import NS

PURPOSE: Final = "traffic_enforcement"
_LIGHT: Final = frozenset({"red_light", "yellow_light", "stop_line"})
_ROLES: Final = ("before", "at", "after")


class Packer:
    """Makes the packages of a site.

    Args:
        site: The site.
        store: Where they go.
        law_packs: Content hash by pack id.
    """

    def __init__(self, site: Site, store: EvidenceStore, law_packs: Mapping[str, str]) -> None:
        self._site, self._store, self._packs = site, store, law_packs
        self._cameras = {camera.id: camera for camera in site.camera}
        self._junctions = {junction.id: junction for junction in site.junction}
        self._models: dict[str, str] = {}
        self._days = site.evidence.retention_days if site.evidence else 0.0

    def pack(self, case: Case, ring: Ring | None) -> tuple[CloudEvent, Packed | None]:
        """Write a case down; where the disk does not take it the event says that it is incomplete.

        Args:
            case: The case.
            ring: The camera's recent past, if there is one.
        """
        camera, junction = self._cameras[case.camera], self._junctions[case.junction]
        pictures = take_pictures(case, camera, ring, place=junction.title, timezone=self._site.site.timezone)
        manifest = self._manifest(case, camera, junction, pictures)
        try:
            packed = self._store.put(case.camera, case.evidence, manifest, pictures.files, case.at_ns)
        except OSError as e:
            why = "disk_full" if e.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) else "not_writable"
            return self._event(case, {"complete": False, "why": why, "completeness": 0.0, "hash": None}, why), None
        if packed.manifest != digest(manifest):  # made before a restart, when more or less of the video was held
            manifest = self._store.manifest(case.camera, case.evidence)
        told = {
            "complete": not manifest["missing"],
            "completeness": manifest["completeness"],
            "missing": sorted(manifest["missing"]),
            "hash": packed.manifest,
        }
        return self._event(case, told, ""), packed

    def _event(self, case: Case, told: dict[str, Any], why: str) -> CloudEvent:
        data = case.event.data
        percent = round(100 * told["completeness"])
        text = (
            f"Không lưu được hồ sơ chứng cứ: {'hết chỗ trên đĩa' if why == 'disk_full' else 'không ghi được'}"
            if why
            else f"Đã lập hồ sơ chứng cứ, đầy đủ {percent}%"
        )
        return make_event(
            site=self._site.site.id,
            entity=case.camera,
            kind=("violation", data["kind"], "evidence"),
            subject=case.event.subject,
            at_ns=case.at_ns,
            key=f"{case.evidence}|{why}",
            data={
                "kind": data["kind"],
                "evidence_id": case.evidence,
                "violation": case.event.id,
                "junction": case.junction,
                "camera": case.camera,
                "track": data["track"],
                **told,
                "text": text,
            },
        )

    def _manifest(self, case: Case, camera: Camera, junction: Junction, pictures: Pictures) -> dict[str, Any]:
        data = case.event.data
        samples = case.samples
        seen = [case.first_ns, *(s.at_ns for s in samples if case.first_ns <= s.at_ns <= case.last_ns), case.last_ns]
        gaps = [[instant(a), instant(b)] for a, b in itertools.pairwise(seen) if b - a > GAP_NS]
        missing = dict(pictures.missing)
        if not samples:
            missing["trajectory"] = "no frame with the vehicle is held"
        elif gaps:
            missing["unbroken trajectory"] = f"{len(gaps)} gaps of more than a second within the act"
        if data["kind"] in _LIGHT and not case.signals:
            missing["signal history"] = "the feed said nothing"
        if camera.calibration is None:
            missing["calibration"] = "the camera has none"
        if not data.get("clauses"):
            missing["clauses"] = "no law pack covers the date and class"
        return {
            "version": 1,
            "evidence_id": case.evidence,
            "violation": {"id": case.event.id, "type": case.event.type, "time": case.event.time},
            "kind": data["kind"],
            "site": self._site.site.id,
            "junction": {"id": junction.id, "name": junction.title, "ward": self._site.site.ward},
            "camera": case.camera,
            **{name: data.get(name) for name in ("lane", "line", "zone", "class", "track", "until", "speed_kmh")},
            "clocks": {
                "act": instant(case.at_ns),
                "proof": [instant(case.first_ns), instant(case.last_ns)],
                "event_time": "UTC",
                "camera_time_zero": None if camera.start_time_ns is None else instant(camera.start_time_ns),
                "timezone": self._site.site.timezone,
            },
            "signal": {
                "shown": data.get("signal"),
                "history": [[instant(c.time_ns), c.signal, c.state] for c in case.signals],
                "around_s": AROUND_NS // NS,
            },
            "trajectory": [[instant(s.at_ns), s.frame, list(s.box)] for s in samples],
            "gaps": gaps,
            "explanation": data["explanation"],
            "clauses": data.get("clauses") or [],
            "hashes": self._hashes(camera, data),
            "stills": pictures.stills,
            "clip": pictures.clip,
            "files": [
                {"name": name, "sha256": sha256(content).hexdigest(), "bytes": len(content)}
                for name, content in sorted(pictures.files.items())
            ],
            "missing": missing,
            "completeness": completeness(data["kind"], pictures, missing),
            "purpose": PURPOSE,
            "retention": {"class": "suspected", "days": self._days},
            "software": f"smartstream {__version__}",
        }

    def _hashes(self, camera: Camera, data: dict[str, Any]) -> dict[str, Any]:
        rules = [rule.model_dump(mode="json") for rule in camera.rule if rule.kind == data["kind"]]
        packs = sorted({clause["pack"] for clause in data.get("clauses") or []})
        calibration = camera.calibration
        return {
            "calibration": None if calibration is None else digest(calibration.model_dump(mode="json")),
            "rule": digest(rules),
            "law_pack": {pack: self._packs.get(pack) for pack in packs},
            "model": self._model(camera),
            "configuration": self._site.fingerprint(),
        }

    def _model(self, camera: Camera) -> str:
        """Hash of the detector's model; the motion detector and the tracker are this release of the software."""
        if camera.scheme == "tracks":
            return "tracks"
        if camera.model is None:
            return f"{camera.detector} {__version__}"
        if camera.model not in self._models:
            try:
                self._models[camera.model] = sha256(Path(self._site.path(camera.model)).read_bytes()).hexdigest()
            except OSError:
                return f"{camera.model} (not readable)"
        return self._models[camera.model]


def completeness(kind: str, pictures: Pictures, missing: Mapping[str, str]) -> float:
    """The share of what a package of this kind should hold that it does hold."""
    roles = {still["role"] for still in pictures.stills}
    has = [role in roles for role in _ROLES]
    has += [pictures.clip is not None, "whole clip" not in missing and "clip" not in missing]
    has += ["trajectory" not in missing, not {"unbroken trajectory", "trajectory"} & set(missing)]
    has += ["overlay" in still for still in pictures.stills] or [False]
    has += [any("vehicle" in still for still in pictures.stills)]
    has += ["calibration" not in missing, "clauses" not in missing]
    if kind in _LIGHT:
        has.append("signal history" not in missing)
    return round(sum(has) / len(has), 3)


def law_pack_hashes(packs: Any) -> dict[str, str]:
    """Content hash of each law pack by its id."""
    return {pack.id: digest(msgspec.to_builtins(pack)) for pack in packs}
