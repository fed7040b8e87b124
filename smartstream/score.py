"""How good a set of events is against a truth file: precision, recall and F1 per rule, crossings per line.

Verdicts are paired with the truth one to one within a kind, nearest first: the event's span (``time`` to
``data.until``) must touch the truth's span within the tolerance. Only ``suspected`` verdicts that were not
retracted, and estimated speeds (kind ``speeding``), count as found; a true case left undecided is a miss.
An event that meets nothing but an entry of the truth's ``ignore`` list counts neither way.
"""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from smartstream.errors import InvalidInputError

CROSSING_TOLERANCE_S = 1.0
"""A crossing found belongs to a true one at most this far away."""

Span = tuple[float, float]
"""Start and end in epoch seconds."""


@dataclass
class RuleScore:
    """Sums of one rule kind over all pairs of files."""

    truth: int = 0
    tp: int = 0
    fp: int = 0
    fn: int = 0
    undecided: int = 0
    suppressed: int = 0
    errors_s: list[float] = field(default_factory=list)

    @property
    def precision(self) -> float | None:
        """Found and true / found; None where nothing was found."""
        return _ratio(self.tp, self.tp + self.fp)

    @property
    def recall(self) -> float | None:
        """Found and true / true; None where nothing is true."""
        return _ratio(self.tp, self.truth)

    @property
    def median_error_s(self) -> float | None:
        """Upper median of |start found - start true| over the pairs."""
        return sorted(self.errors_s)[len(self.errors_s) // 2] if self.errors_s else None


@dataclass
class LineScore:
    """Forward crossings of one line: how many true, how many of those found, how many found in all."""

    truth: int = 0
    matched: int = 0
    found: int = 0


@dataclass
class Score:
    """Everything `smartstream score` prints.

    Attributes:
        rules: Sums by rule kind.
        crossings: Sums by line id, for the lines that the truth counts.
        unusable: Lines per event file that are not usable events.
    """

    rules: dict[str, RuleScore] = field(default_factory=lambda: defaultdict(RuleScore))
    crossings: dict[str, LineScore] = field(default_factory=lambda: defaultdict(LineScore))
    unusable: dict[str, int] = field(default_factory=dict)

    @property
    def total(self) -> RuleScore:
        """All rules pooled."""
        rules = self.rules.values()
        return RuleScore(
            truth=sum(r.truth for r in rules),
            tp=sum(r.tp for r in rules),
            fp=sum(r.fp for r in rules),
            fn=sum(r.fn for r in rules),
        )

    @property
    def f1(self) -> float | None:
        """Harmonic mean of the pooled precision and recall."""
        all_ = self.total
        return _ratio(2 * all_.tp, 2 * all_.tp + all_.fp + all_.fn)

    def as_json(self) -> dict[str, Any]:
        """The object that ``--json`` prints."""
        all_ = self.total
        return {
            "rules": [
                {
                    "kind": kind,
                    "truth": r.truth,
                    "tp": r.tp,
                    "fp": r.fp,
                    "fn": r.fn,
                    "undecided": r.undecided,
                    "suppressed": r.suppressed,
                    "precision": r.precision,
                    "recall": r.recall,
                    "median_error_s": r.median_error_s,
                }
                for kind, r in sorted(self.rules.items())
            ],
            "precision": all_.precision,
            "recall": all_.recall,
            "f1": self.f1,
            "crossings": {
                line: {"truth": c.truth, "matched": c.matched, "found": c.found} for line, c in self.crossings.items()
            },
        }


@dataclass
class _Found:
    """What an event file claims."""

    verdicts: dict[str, list[Span]]
    withheld: dict[tuple[str, str], int]
    crossings: dict[str, list[Span]]
    unusable: int


def score_files(pairs: Iterable[tuple[Path, Path]], *, tolerance_s: float = 2.0) -> Score:
    """Score each (truth, events) pair for itself and pool the sums.

    Raises:
        InvalidInputError: A file cannot be read, or a truth file is not one.
    """
    score = Score()
    for truth_path, events_path in pairs:
        truth = _read_truth(truth_path)
        found = _read_events(events_path)
        if found.unusable:
            score.unusable[str(events_path)] = found.unusable
        _score_verdicts(score, truth, found, tolerance_s)
        _score_crossings(score, truth, found)
    return score


def match(truth: Sequence[Span], found: Sequence[Span], tolerance_s: float) -> list[tuple[int, int, float]]:
    """One-to-one pairs of spans whose gap is within the tolerance, taken nearest first.

    Returns:
        (index in truth, index in found, |difference of the starts| in s) per pair.
    """
    by_start = sorted(range(len(found)), key=lambda j: found[j][0])
    starts = [found[j][0] for j in by_start]
    longest = max((end - start for start, end in found), default=0.0)
    near: list[tuple[float, float, int, int]] = []
    for i, (start, end) in enumerate(truth):
        # Widened by a second: the exact test below decides, so rounding here cannot.
        low = bisect_left(starts, start - tolerance_s - longest - 1.0)
        high = bisect_right(starts, end + tolerance_s + 1.0)
        for j in by_start[low:high]:
            a, b = found[j]
            gap = max(start - b, a - end, 0.0)
            if gap <= tolerance_s:
                near.append((gap, abs(a - start), i, j))
    near.sort()
    taken_truth: set[int] = set()
    taken_found: set[int] = set()
    pairs = []
    for _, error_s, i, j in near:
        if i not in taken_truth and j not in taken_found:
            taken_truth.add(i)
            taken_found.add(j)
            pairs.append((i, j, error_s))
    return pairs


def _score_verdicts(score: Score, truth: dict[str, Any], found: _Found, tolerance_s: float) -> None:
    kinds = {v["kind"] for v in truth["violations"]} | set(found.verdicts)
    for kind in sorted(kinds):
        want = [_span(v) for v in truth["violations"] if v["kind"] == kind]
        got = found.verdicts.get(kind, [])
        hits = match(want, got, tolerance_s)
        hit = {j for _, j, _ in hits}
        rest = [span for j, span in enumerate(got) if j not in hit]
        ignore = [_span(v) for v in truth.get("ignore", []) if v["kind"] == kind]
        excused = len(match(ignore, rest, tolerance_s))
        rule = score.rules[kind]
        rule.truth += len(want)
        rule.tp += len(hits)
        rule.fp += len(rest) - excused
        rule.fn += len(want) - len(hits)
        rule.errors_s += [error for _, _, error in hits]
    for (kind, verdict), n in found.withheld.items():
        rule = score.rules[kind]
        if verdict == "undecided":
            rule.undecided += n
        else:
            rule.suppressed += n


def _score_crossings(score: Score, truth: dict[str, Any], found: _Found) -> None:
    counts = truth.get("counts", [])
    for line in dict.fromkeys(c["line"] for c in counts):
        want = [(_instant(c["t"]),) * 2 for c in counts if c["line"] == line]
        got = found.crossings.get(line, [])
        sums = score.crossings[line]
        sums.truth += len(want)
        sums.found += len(got)
        sums.matched += len(match(want, got, CROSSING_TOLERANCE_S))


def _read_truth(path: Path) -> dict[str, Any]:
    try:
        truth = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as e:
        reason = e.strerror if isinstance(e, OSError) and e.strerror else e
        raise InvalidInputError(f"{path}: expected a truth file (JSON): {reason}") from None
    if not isinstance(truth, dict) or not isinstance(truth.get("violations"), list):
        raise InvalidInputError(f"{path}: expected a truth file: a JSON object with a list `violations`")
    for part in ("violations", "ignore", "counts"):
        for i, entry in enumerate(truth.get(part, [])):
            try:
                _span(entry)
                str(entry["line" if part == "counts" else "kind"])
            except (KeyError, TypeError, ValueError) as e:
                raise InvalidInputError(f"{path}: {part}[{i}] is not usable: {e!r}") from e
    return truth


def _read_events(path: Path) -> _Found:
    verdicts: dict[str, dict[str, Span]] = defaultdict(dict)
    withheld: dict[tuple[str, str], int] = defaultdict(int)
    crossings: dict[str, list[Span]] = defaultdict(list)
    retracted: set[str] = set()
    unusable = 0
    try:
        lines = path.read_text(encoding="utf-8-sig", errors="replace").split("\n")
    except OSError as e:
        raise InvalidInputError(f"{path}: cannot read the events: {e.strerror}") from e
    for line in lines:
        if not line.strip():
            continue
        try:
            event = json.loads(line)
            data, type_ = event.get("data", {}), event["type"]
            if ".violation." in type_:
                verdict = data.get("verdict")
                if verdict == "suspected" and ".evidence." not in type_:
                    verdicts[data["kind"]][event["id"]] = _event_span(event)
                elif verdict in ("undecided", "suppressed"):
                    withheld[data["kind"], verdict] += 1
                if data.get("retracts"):
                    retracted.add(data["retracts"])
            elif ".traffic.speeding.estimated" in type_:
                verdicts["speeding"][event["id"]] = _event_span(event)
            elif ".traffic.crossing.observed" in type_ and data.get("direction", "forward") == "forward":
                crossings[data.get("line")].append((_instant(event["time"]),) * 2)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            unusable += 1
    standing = {kind: [span for id_, span in by_id.items() if id_ not in retracted] for kind, by_id in verdicts.items()}
    return _Found(standing, withheld, crossings, unusable)


def _span(entry: dict[str, Any]) -> Span:
    return _instant(entry["t"]), _instant(entry.get("t_end", entry["t"]))


def _event_span(event: dict[str, Any]) -> Span:
    return _instant(event["time"]), _instant(event["data"].get("until") or event["time"])


def _instant(value: object) -> float:
    """Epoch seconds of a number or an RFC 3339 text."""
    if isinstance(value, int | float):
        return float(value)
    return datetime.fromisoformat(str(value)).timestamp()


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None
