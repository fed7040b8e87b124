"""Cases of a store: what is in them, what became of them, and what a person or a recall makes of them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from smartstream.errors import UNREADABLE, DataLossError, InvalidInputError
from smartstream.evidence.audit import ACCESS, REVIEWS, append, entries
from smartstream.evidence.chain import retractions
from smartstream.evidence.files import read_plain
from smartstream.evidence.keys import Signer
from smartstream.evidence.store import MANIFEST, PACKAGES
from smartstream.evidence.verify import verify_case
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


class _Clocks(msgspec.Struct):
    act: str
    proof: tuple[str, str]


class _Junction(msgspec.Struct):
    id: str
    name: str


class _Signal(msgspec.Struct):
    shown: dict[str, Any] | None


class _Explanation(msgspec.Struct):
    facts: dict[str, Any]


class _Clause(msgspec.Struct):
    clause: str
    mark: str


_Box = tuple[float, float, float, float]


class _Still(msgspec.Struct):
    role: str
    time: str
    file: str
    overlay: str | None = None
    box: _Box | None = None


class _Clip(msgspec.Struct):
    file: str
    first: str


class _Manifest(msgspec.Struct):
    """What the desk needs of a manifest; one that says something else does not read."""

    evidence_id: str
    violation: _Violation
    kind: str
    site: str
    junction: _Junction
    camera: str
    class_: str | None = msgspec.field(name="class")
    lane: str | None
    line: str | None
    zone: str | None
    track: str | None
    completeness: float
    clocks: _Clocks
    hashes: _Hashes
    signal: _Signal
    explanation: _Explanation
    clauses: list[_Clause]
    missing: dict[str, str]
    stills: list[_Still]
    clip: _Clip | None
    trajectory: list[tuple[str, int, _Box]]


_manifest: Final = msgspec.json.Decoder(_Manifest)


class DecidedError(InvalidInputError):
    """The case is decided already."""


class StoredCase(msgspec.Struct, frozen=True):
    """A case as the store holds it.

    Attributes:
        state: ``suspected``, or the last decision; ``retracted`` whatever was decided, where the run took it back.
        folder: Where its files are.
        why: The reasons of the run, where it took the suspicion back.
    """

    manifest: dict[str, Any]
    state: str
    folder: Path
    why: str = ""

    @property
    def at_ns(self) -> int:
        """When the act began."""
        return parse_instant(self.manifest["violation"]["time"])

    @property
    def span_ns(self) -> tuple[int, int]:
        """From the first to the last instant of the act and of its proof."""
        clocks = self.manifest["clocks"]
        instants = [parse_instant(at) for at in (clocks["act"], *clocks["proof"])]
        return min(instants), max(instants)


def cases(store: Path) -> tuple[list[StoredCase], list[str]]:
    """Every case, oldest first; and what is wrong with packages that do not read, which are no cases.

    Raises:
        InvalidInputError: The folder is no store.
        DataLossError: The log of decisions is not as it was written.
    """
    if not (store / PACKAGES).is_dir():
        raise InvalidInputError(f"{store}: expected an evidence store, found no folder {PACKAGES} in it")
    state, taken_back = _states(entries(store, REVIEWS)), retractions(store)
    found, wrong = [], []
    for folder in store.glob(f"{PACKAGES}/[!.]*/[!.]*"):
        if not folder.is_dir():
            continue  # no package, or retention has just deleted it
        try:
            manifest = _read(folder)
        except (*UNREADABLE, ValueError) as e:
            if folder.is_dir():
                wrong.append(f"{folder / MANIFEST}: does not read ({e}); run smartstream verify")
            continue
        name = manifest["evidence_id"]
        stands = "retracted" if name in taken_back else state.get(name, SUSPECTED)
        found.append(StoredCase(manifest, stands, folder, taken_back.get(name, "")))
    return sorted(found, key=lambda case: (case.at_ns, case.manifest["evidence_id"])), sorted(wrong)


def _read(folder: Path) -> dict[str, Any]:
    text = read_plain(folder / MANIFEST)
    if text is None:
        raise ValueError("no plain file that can be read")
    said = _manifest.decode(text)
    for at in (said.violation.time, said.clocks.act, *said.clocks.proof):
        parse_instant(at)
    if (said.camera, said.evidence_id) != (folder.parent.name, folder.name):
        raise ValueError(f"it is of {said.camera}/{said.evidence_id}")
    return msgspec.json.decode(text, type=dict[str, Any])


def case(store: Path, evidence: str) -> StoredCase:
    """The case whose id begins with ``evidence``.

    Raises:
        InvalidInputError: None or several do.
    """
    every, wrong = cases(store)
    found = [one for one in every if one.manifest["evidence_id"].startswith(evidence)]
    if len(found) != 1:
        besides = f" and {len(wrong)} packages that do not read" if wrong else ""
        raise InvalidInputError(
            f"case {evidence!r}: expected the beginning of one id, found {len(found)} in {store}{besides}"
        )
    return found[0]


def touched(store: Path, one: StoredCase) -> str | None:
    """What about a case is not as it was written; ``None`` when all of it is."""
    found = verify_case(store, one.manifest["camera"], one.manifest["evidence_id"])
    return f"{found[0].what}: {found[0].where}: {found[0].detail}" if found else None


def require_untouched(store: Path, one: StoredCase, done: str) -> None:
    """Nothing is to be done upon a case that is not as it was written.

    Raises:
        DataLossError: It is not.
    """
    if (why := touched(store, one)) is not None:
        name = one.manifest["evidence_id"]
        raise DataLossError(f"case {name}: cannot be {done}, it is not as it was written ({why})")


def look(store: Path, one: StoredCase, signer: Signer, *, officer: str, purpose: str, at_ns: int) -> None:
    """Write down who opens a case, and what for, before it is shown.

    Raises:
        InvalidInputError: Officer or purpose are missing, or the log cannot be written.
        DataLossError: The log is not as it was written.
    """
    name = one.manifest["evidence_id"]
    _said(name, officer=officer, purpose=purpose)
    append(store, ACCESS, {"evidence_id": name, "officer": officer, "purpose": purpose, "at": rfc3339(at_ns)}, signer)


def decide(
    store: Path, one: StoredCase, decision: Decision, signer: Signer, *, officer: str, reason: str, at_ns: int
) -> CloudEvent:
    """A named person's decision: in the audit log first, then an event.

    What has become of the case is read where nobody else can decide: of two officers at once the second is refused.

    Raises:
        DecidedError: The case is decided already; a recall takes back what is not retracted.
        InvalidInputError: Officer or reason are missing, or the log cannot be written.
        DataLossError: What is to be confirmed, or the log, is not as it was written.
    """
    name = one.manifest["evidence_id"]
    _said(name, officer=officer, reason=reason)
    if decision == "confirmed":
        require_untouched(store, one, decision)

    def undecided(log: list[dict[str, Any]]) -> None:
        state = "retracted" if one.state == "retracted" else _states(log).get(name, SUSPECTED)
        if state == "retracted" or (state != SUSPECTED and decision != "retracted"):
            raise DecidedError(f"case {name}: expected one that is suspected, found it {state}")

    said = {"officer": officer, "reason": reason, "at": rfc3339(at_ns)}
    append(store, REVIEWS, {"evidence_id": name, "decision": decision, **said}, signer, check=undecided)
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
    manifests = {one.manifest["evidence_id"]: one.manifest for one in cases(store)[0]}
    events, gone = [], 0
    for entry in entries(store, REVIEWS):
        manifest = manifests.get(entry["evidence_id"])
        if manifest is None:
            gone += 1
            continue
        said = {name: entry[name] for name in ("officer", "reason", "at")}
        events.append(_event(manifest, entry["decision"], said, parse_instant(entry["at"])))
    return events, gone


def recalled(
    every: Iterable[StoredCase],
    *,
    model: str | None,
    config: str | None,
    calibration: str | None,
    from_ns: int,
    to_ns: int,
) -> list[StoredCase]:
    """Those that rest on what was found faulty, by the start of its hash, and are not retracted yet.

    A part of the act or of its proof within ``[from_ns, to_ns]`` is enough: who parked before a camera was pushed aside
    is accused by what it saw afterwards, too.
    """
    wanted = {"model": model, "configuration": config, "calibration": calibration}

    def rests(hashes: dict[str, Any]) -> bool:
        return all(str(hashes.get(k) or "").startswith(v) for k, v in wanted.items() if v is not None)

    return [
        one
        for one in every
        if from_ns <= one.span_ns[1]
        and one.span_ns[0] <= to_ns
        and one.state != "retracted"
        and rests(one.manifest["hashes"])
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
