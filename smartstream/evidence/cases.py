"""Cases of a store: what is in them, and what became of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import msgspec

from smartstream.errors import UNREADABLE, DataLossError, InvalidInputError
from smartstream.evidence.audit import REVIEWS, entries
from smartstream.evidence.chain import retractions
from smartstream.evidence.files import read_plain
from smartstream.evidence.store import MANIFEST, PACKAGES
from smartstream.evidence.verify import verify_case
from smartstream.model.time import parse_instant

SUSPECTED: Final = "suspected"


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
    state, taken_back = states(entries(store, REVIEWS)), retractions(store)
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


def states(log: list[dict[str, Any]]) -> dict[str, str]:
    """What a log of decisions says last of each case."""
    return {str(entry.get("evidence_id")): str(entry.get("decision")) for entry in log}
