"""Cases of a store: what is in them, what became of them, and what a person or a recall makes of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from smartstream.errors import UNREADABLE, InvalidInputError
from smartstream.evidence.audit import ACCESS, REVIEWS, append, entries
from smartstream.evidence.store import MANIFEST
from smartstream.model.event import CloudEvent, make_event
from smartstream.model.time import parse_instant, rfc3339

Decision = Literal["confirmed", "rejected", "retracted"]
SUSPECTED: Final = "suspected"
_WORDS: Final = {"confirmed": "Xác nhận vi phạm", "rejected": "Bác nghi vấn vi phạm", "retracted": "Thu hồi nghi vấn"}


class _Violation(msgspec.Struct):
    id: str
    time: str


class _Hashes(msgspec.Struct):
    model: str | None
    configuration: str | None
    calibration: str | None


class _Manifest(msgspec.Struct):
    """What the desk needs of a manifest."""

    evidence_id: str
    violation: _Violation
    kind: str
    site: str
    junction: dict[str, str | None]
    camera: str
    class_: str | None = msgspec.field(name="class")
    lane: str | None
    line: str | None
    zone: str | None
    track: str | None
    completeness: float
    hashes: _Hashes


_manifest: Final = msgspec.json.Decoder(_Manifest)


class StoredCase(msgspec.Struct, frozen=True):
    """A case as the store holds it.

    Attributes:
        state: ``suspected``, or the last decision.
        folder: Where its files are.
    """

    manifest: dict[str, Any]
    state: str
    folder: Path

    @property
    def at_ns(self) -> int:
        """When the act began."""
        return parse_instant(self.manifest["violation"]["time"])


def cases(store: Path) -> Iterator[StoredCase]:
    """Every case, oldest first.

    Raises:
        InvalidInputError: The folder is no store, or a manifest in it does not read.
    """
    if not (store / "packages").is_dir():
        raise InvalidInputError(f"{store}: expected an evidence store, found no folder packages in it")
    state = _states(entries(store / REVIEWS))
    found = []
    for path in store.glob(f"packages/*/[!.]*/{MANIFEST}"):
        try:
            text = path.read_bytes()
            parse_instant(_manifest.decode(text).violation.time)
            manifest = msgspec.json.decode(text, type=dict[str, Any])
        except FileNotFoundError:
            continue  # retention has just deleted it
        except (*UNREADABLE, ValueError) as e:
            raise InvalidInputError(f"{path}: does not read ({e}); run smartstream verify") from None
        found.append(StoredCase(manifest, state.get(manifest["evidence_id"], SUSPECTED), path.parent))
    return iter(sorted(found, key=lambda case: (case.at_ns, case.manifest["evidence_id"])))


def case(store: Path, evidence: str) -> StoredCase:
    """The case whose id begins with ``evidence``.

    Raises:
        InvalidInputError: None or several do.
    """
    found = [one for one in cases(store) if one.manifest["evidence_id"].startswith(evidence)]
    if len(found) != 1:
        raise InvalidInputError(f"case {evidence!r}: expected the beginning of one id, found {len(found)} in {store}")
    return found[0]


def look(store: Path, one: StoredCase, *, officer: str, purpose: str, at_ns: int) -> None:
    """Write down who opens a case, and what for, before it is shown.

    Raises:
        InvalidInputError: Officer or purpose are missing, or the log cannot be written.
    """
    name = one.manifest["evidence_id"]
    _said(name, officer=officer, purpose=purpose)
    append(store / ACCESS, {"evidence_id": name, "officer": officer, "purpose": purpose, "at": rfc3339(at_ns)})


def decide(store: Path, one: StoredCase, decision: Decision, *, officer: str, reason: str, at_ns: int) -> CloudEvent:
    """A named person's decision: in the audit log first, then an event.

    What has become of the case is read where nobody else can decide: of two officers at once the second is refused.

    Raises:
        InvalidInputError: The case is decided already (a recall takes back what is not retracted), officer or reason
            are missing, or the log cannot be written.
    """
    name = one.manifest["evidence_id"]
    _said(name, officer=officer, reason=reason)

    def undecided(log: list[dict[str, Any]]) -> None:
        state = _states(log).get(name, SUSPECTED)
        if state == "retracted" or (state != SUSPECTED and decision != "retracted"):
            raise InvalidInputError(f"case {name}: expected one that is suspected, found it {state}")

    said = {"officer": officer, "reason": reason, "at": rfc3339(at_ns)}
    append(store / REVIEWS, {"evidence_id": name, "decision": decision, **said}, check=undecided)
    return _event(one.manifest, decision, said, at_ns)


def _states(log: list[dict[str, Any]]) -> dict[str, str]:
    """What was decided last about each case."""
    return {str(entry.get("evidence_id")): str(entry.get("decision")) for entry in log}


def _said(case: str, **words: str) -> None:
    """Who and why must be there, and text that can be written down.

    Raises:
        InvalidInputError: They are not.
    """
    for name, word in words.items():
        if not word.strip() or not word.isprintable():
            raise InvalidInputError(f"case {case}: expected {name}: a line of text, found {word!r}")


def decided(store: Path) -> tuple[list[CloudEvent], int]:
    """The event of every decision in the log, as it was made; and how many cases retention has deleted since."""
    manifests = {one.manifest["evidence_id"]: one.manifest for one in cases(store)}
    events, gone = [], 0
    for entry in entries(store / REVIEWS):
        manifest = manifests.get(entry["evidence_id"])
        if manifest is None:
            gone += 1
            continue
        said = {name: entry[name] for name in ("officer", "reason", "at")}
        events.append(_event(manifest, entry["decision"], said, parse_instant(entry["at"])))
    return events, gone


def recalled(
    store: Path, *, model: str | None, config: str | None, calibration: str | None, from_ns: int, to_ns: int
) -> list[StoredCase]:
    """Cases in ``[from_ns, to_ns]`` that rest on what was found faulty, by the start of its hash, not retracted yet."""
    wanted = {"model": model, "configuration": config, "calibration": calibration}

    def rests(hashes: dict[str, Any]) -> bool:
        return all(str(hashes.get(k) or "").startswith(v) for k, v in wanted.items() if v is not None)

    return [
        one
        for one in cases(store)
        if from_ns <= one.at_ns <= to_ns and one.state != "retracted" and rests(one.manifest["hashes"])
    ]


def _event(manifest: dict[str, Any], decision: str, said: dict[str, str], at_ns: int) -> CloudEvent:
    kind, camera, junction = manifest["kind"], manifest["camera"], manifest["junction"]["id"]
    place = manifest["lane"] or manifest["line"] or manifest["zone"] or "_"
    data = {
        "kind": kind,
        "verdict": decision,
        "evidence_id": manifest["evidence_id"],
        "violation": manifest["violation"]["id"],
        "junction": junction,
        "camera": camera,
        "track": manifest["track"],
        **said,
        "text": f"{_WORDS[decision]} ({said['officer']}): {said['reason']}",
    }
    if decision == "retracted":
        data |= {"retracts": manifest["violation"]["id"], "reasons": ["recalled"]}
    return make_event(
        site=manifest["site"],
        entity=camera,
        kind=("violation", kind, decision),
        subject=f"{junction}/{camera}/{place}",
        at_ns=at_ns,
        key=manifest["evidence_id"],
        data=data,
    )
