"""How good the joins were on a city scenario: precision and recall per join against its ``truth.json``.

Incidents are paired with what was so one to one, earliest first: filed under one of its keys, begun within it or
shortly before or after. Retracted incidents were not found. What was so while nobody could see it counts neither way.
J-12 is scored by pairs of reports in one cluster, J-27 by pairs of verdicts in one case, against the vehicles.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any, Final

from smartstream.errors import InvalidInputError
from smartstream.model.time import NS, parse_instant

Event = dict[str, Any]
_BEFORE_S: Final = 300.0
_AFTER_S: Final[dict[str, float]] = {"J-14": 86_400.0, "J-10": 3600.0}
_AFTER_USUALLY_S: Final = 1800.0
"""How long after its end something may still be found: a gauge, a balance of an hour, a silence speak late."""
KINDS: Final = {
    "J-01": "crash", "J-02": "flood", "J-03": "air_spike", "J-04": "signal_failure", "J-07": "camera_blind",
    "J-08": "camera_drift", "J-09": "spillback", "J-10": "gateway_balance", "J-12": "report cluster (pairs)",
    "J-13": "emergency_corridor", "J-14": "report_evidence: corroborated", "J-15": "false_closing",
    "J-23": "network_outage", "J-27": "repeated_verdict (pairs)", "J-30": "warning proposed",
}  # fmt: skip
"""What a row of the table counts."""


@dataclass
class JoinScore:
    """Sums of one join.

    Attributes:
        true: How much was so.
        found: How much was told, less what counts neither way.
        hit: How much of it was so.
        missed: What was so and not found, for those who look into it.
        wrong: What was told and not so.
    """

    true: int = 0
    found: int = 0
    hit: int = 0
    missed: list[Any] = field(default_factory=list)
    wrong: list[Any] = field(default_factory=list)

    @property
    def precision(self) -> float | None:
        """Of what was told; ``None`` where nothing was."""
        return round(self.hit / self.found, 3) if self.found else None

    @property
    def recall(self) -> float | None:
        """Of what was so; ``None`` where nothing was."""
        return round(self.hit / self.true, 3) if self.true else None


def is_city(truth: Path) -> bool:
    """Whether a truth file is a city's; one that cannot be read is told by whoever reads it."""
    try:
        with truth.open("rb") as file:
            return b'"scenario": "city"' in file.read(200)
    except OSError:
        return False


def join_table(sums: dict[str, JoinScore]) -> list[dict[str, Any]]:
    """A row per join, in the order of their numbers."""
    return [
        {
            "join": name,
            "what": KINDS[name],
            "true": score.true,
            "found": score.found,
            "hit": score.hit,
            "precision": score.precision,
            "recall": score.recall,
        }
        for name, score in sums.items()
    ]


def score_cities(pairs: Iterable[tuple[Path, Path]]) -> dict[str, JoinScore]:
    """Pooled sums by join.

    Raises:
        InvalidInputError: A file cannot be read, or is not what it should be.
    """
    sums: dict[str, JoinScore] = {name: JoinScore() for name in KINDS}
    for truth, events in pairs:
        try:
            content = json.loads(truth.read_text(encoding="utf-8-sig"))
            told = [json.loads(line) for line in events.read_bytes().splitlines()]  # bytes: U+2028 ends no event
            _score(content, told, sums)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as e:
            raise InvalidInputError(f"{truth}, {events}: no truth and events of a city: {e}") from None
    return sums


def _score(truth: dict[str, Any], told: list[Event], sums: dict[str, JoinScore]) -> None:
    found = _found(told)
    for join, entries in truth["joins"].items():
        if join == "J-12":
            _pairs(sums[join], _clusters(told), _alike(truth["reports"]))
        elif join == "J-27":
            cases, same = _cases(told, truth["tracks"])
            _pairs(sums[join], cases, same)
        elif join in sums:
            _match(sums[join], entries, found[join], _AFTER_S.get(join, _AFTER_USUALLY_S))


def _found(told: list[Event]) -> dict[str, list[tuple[float, str, str]]]:
    """By join what was told and not taken back: since when, key, kind."""
    gone = {e["data"]["retracts"] for e in told if "retracts" in e["data"]}
    out: dict[str, list[tuple[float, str, str]]] = defaultdict(list)
    for event in told:
        _, _, class_, kind, verb, _ = event["type"].split(".")
        data = event["data"]
        if class_ == "incident" and verb == "opened" and event["id"] not in gone:
            if data["join"] == "J-14" and data["finding"] != "corroborated":
                continue
            key = data["junction"] if data["join"] in ("J-01", "J-04", "J-13") else data["key"]
            out[data["join"]].append((parse_instant(data["since"]) / NS, key, kind))
        elif class_ == "warning" and verb == "proposed":
            key = next(
                e["data"]["junction"] if kind == "crash" else e["data"]["key"]
                for e in told
                if e["data"].get("incident") == data["warning"]
            )
            out["J-30"].append((parse_instant(event["time"]) / NS, key, kind))
    return out


def _match(score: JoinScore, entries: dict[str, Any], found: list[tuple[float, str, str]], after_s: float) -> None:
    want = sorted(entries["true"], key=lambda e: e["begin"])
    score.true += len(want)
    for since, key, kind in sorted(found):
        fits = [e for e in want if _fits(e, since, key, kind, after_s)]
        if fits:
            want.remove(fits[0])
            score.hit += 1
            score.found += 1
        elif not any(_fits(e, since, key, kind, after_s) for e in entries["ignore"]):
            score.found += 1
            score.wrong.append((since, key, kind))
    score.missed += want


def _fits(entry: dict[str, Any], since: float, key: str, kind: str, after_s: float) -> bool:
    of_kind = entry.get("kind", kind) == kind
    return of_kind and key in entry["keys"] and entry["begin"] - _BEFORE_S <= since <= entry["end"] + after_s


Pair = tuple[str, str]


def _pairs(score: JoinScore, found: set[Pair], same: set[Pair]) -> None:
    score.true += len(same)
    score.found += len(found)
    score.hit += len(found & same)
    score.missed += sorted(same - found)
    score.wrong += sorted(found - same)


def _clusters(told: list[Event]) -> set[Pair]:
    """Pairs of reports in one cluster, by its newest revision."""
    newest: dict[str, tuple[int, list[str]]] = {}
    for event in told:
        if ".report.cluster." in event["type"]:
            data = event["data"]
            newest[data["cluster"]] = max(newest.get(data["cluster"], (-1, [])), (data["revision"], data["members"]))
    return {pair for _, members in newest.values() for pair in combinations(sorted(members), 2)}


def _alike(about: dict[str, str]) -> set[Pair]:
    """Pairs of reports that speak of the same happening."""
    by: dict[str, list[str]] = defaultdict(list)
    for report, happening in about.items():
        by[happening].append(report)
    return {pair for reports in by.values() for pair in combinations(sorted(reports), 2)}


def _cases(told: list[Event], tracks: dict[str, dict[str, str]]) -> tuple[set[Pair], set[Pair]]:
    """Pairs of suspicions in one case, and pairs that are one vehicle's at one place within a minute; standing ones."""
    gone = {e["data"]["retracts"] for e in told if "retracts" in e["data"]}
    verdicts: dict[str, tuple[str, str, float]] = {}
    cases: dict[str, tuple[int, list[str]]] = {}
    for event in told:
        data = event["data"]
        if event["type"].startswith("vn.ioc.violation.") and ".suspected." in event["type"] and event["id"] not in gone:
            camera, _, number = data["track"].split("/")
            who = tracks.get(camera, {}).get(number, data["track"])
            verdicts[event["id"]] = (who, data["junction"], parse_instant(event["time"]) / NS)
        elif ".incident.repeated_verdict." in event["type"]:
            members = [name for name in (data["primary"], *data["duplicates"]) if name not in gone]
            cases[data["incident"]] = max(cases.get(data["incident"], (-1, [])), (data["revision"], members))
    found = {pair for _, members in cases.values() for pair in combinations(sorted(members), 2)}
    same = {
        (a, b)
        for a, b in combinations(sorted(verdicts), 2)
        if verdicts[a][:2] == verdicts[b][:2] and abs(verdicts[a][2] - verdicts[b][2]) <= 60
    }
    return found, same
