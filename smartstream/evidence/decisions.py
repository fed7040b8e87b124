"""What a named person, or a recall, makes of cases: in the log of the store first, then an event."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, Literal

from smartstream.errors import InvalidInputError
from smartstream.evidence.audit import ACCESS, REVIEWS, append, entries
from smartstream.evidence.cases import SUSPECTED, StoredCase, cases, require_untouched, states
from smartstream.evidence.keys import Signer
from smartstream.model.event import CloudEvent, make_event
from smartstream.model.time import parse_instant, rfc3339

Decision = Literal["confirmed", "rejected", "retracted"]
_WORDS: Final = {"confirmed": "Xác nhận vi phạm", "rejected": "Bác nghi vấn vi phạm", "retracted": "Thu hồi nghi vấn"}


class DecidedError(InvalidInputError):
    """The case is decided already."""


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
        state = "retracted" if one.state == "retracted" else states(log).get(name, SUSPECTED)
        if state == "retracted" or (state != SUSPECTED and decision != "retracted"):
            raise DecidedError(f"case {name}: expected one that is suspected, found it {state}")

    said = {"officer": officer, "reason": reason, "at": rfc3339(at_ns)}
    append(store, REVIEWS, {"evidence_id": name, "decision": decision, **said}, signer, check=undecided)
    return _event(one.manifest, decision, said, at_ns)


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


def _said(case: str, **words: str) -> None:
    """Who and why must be there, and text that can be written down.

    Raises:
        InvalidInputError: They are not.
    """
    for name, word in words.items():
        if not word.strip() or not word.isprintable():
            raise InvalidInputError(f"case {case}: expected {name}: a line of text, found {word!r}")


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
