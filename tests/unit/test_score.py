"""`score` gives the same numbers as the yardstick's script, and says what is wrong with its input."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from smartstream.cli.score import score
from smartstream.errors import InvalidInputError
from smartstream.model.time import rfc3339
from smartstream.score import match, score_files

YARDSTICK = Path(__file__).parents[3] / "shared" / "tools" / "score.py"
T0 = 1_790_000_000
KINDS = ("red_light", "wrong_way", "illegal_stop", "speeding", "u_turn")


def violation(id_: str, kind: str, t: float, *, verdict: str = "suspected", **data: object) -> dict[str, object]:
    type_ = f"vn.ioc.violation.{kind}.{verdict}.v1"
    if kind == "speeding":
        type_ = "vn.ioc.traffic.speeding.estimated.v1"
    time = rfc3339(round(t * 1000) * 1_000_000)
    return {"id": id_, "type": type_, "time": time, "data": {"kind": kind, "verdict": verdict, **data}}


def random_pair(rng: random.Random, folder: Path) -> tuple[Path, Path]:
    def entry() -> dict[str, object]:
        t = T0 + round(rng.uniform(0, 120), 2)
        out: dict[str, object] = {"kind": rng.choice(KINDS), "t": t}
        if rng.random() < 0.4:
            out["t_end"] = t + rng.uniform(0, 20)
        return out

    truth = {
        "violations": [entry() for _ in range(rng.randrange(40))],
        "ignore": [entry() for _ in range(rng.randrange(15))],
        "counts": [{"line": rng.choice(["a", "b"]), "t": T0 + rng.uniform(0, 60)} for _ in range(rng.randrange(60))],
    }
    events: list[object] = []
    for i in range(rng.randrange(80)):
        t = T0 + rng.uniform(0, 120)
        if truth["violations"] and rng.random() < 0.5:
            t = float(rng.choice(truth["violations"])["t"]) + rng.choice([0.0, 2.0, rng.gauss(0, 2)])  # type: ignore[arg-type]
        verdict = rng.choice(["suspected"] * 4 + ["undecided", "suppressed", "retracted", "evidence"])
        data = {"until": rfc3339(int((t + rng.uniform(0, 9)) * 1e9))} if rng.random() < 0.3 else {}
        if verdict == "retracted" and i:
            data["retracts"] = f"e{rng.randrange(i)}"
        events.append(violation(f"e{i}", rng.choice(KINDS), t, verdict=verdict, **data))
    for i in range(rng.randrange(70)):
        data = {
            "line": rng.choice(["a", "b", "c"]),
            "direction": rng.choice(["forward", "forward", "backward"]),
        }
        events.append(
            {
                "id": f"c{i}",
                "type": "vn.ioc.traffic.crossing.observed.v1",
                "time": T0 + rng.uniform(0, 60),
                "data": data,
            }
        )
    events += [
        {"type": 3},
        [],
        {"type": "vn.ioc.violation.red_light.suspected.v1", "data": {"verdict": "suspected"}},
    ]
    rng.shuffle(events)
    truth_path, events_path = folder / f"{rng.random()}.json", folder / f"{rng.random()}.ndjson"
    truth_path.write_text(json.dumps(truth))
    events_path.write_text("\n".join(json.dumps(e) for e in events) + "\nnot json\n\n")
    return truth_path, events_path


@pytest.mark.shared
def test_same_numbers_as_the_yardstick(tmp_path: Path) -> None:
    if not YARDSTICK.exists():
        pytest.skip(f"{YARDSTICK} is absent")
    rng = random.Random(7)
    for _ in range(12):
        pairs = [random_pair(rng, tmp_path) for _ in range(rng.randrange(1, 4))]
        files = [str(p) for pair in pairs for p in pair]
        tolerance = rng.choice([0.5, 2.0, 5.0])
        theirs = subprocess.run(
            [sys.executable, YARDSTICK, *files, "--json", "--tolerance", str(tolerance)],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
        ours = CliRunner().invoke(score, [*files, "--json", "--tolerance", str(tolerance)])
        assert ours.exit_code == 0
        assert json.loads(ours.stdout) == json.loads(theirs.stdout)


def test_nearest_pairs_first_and_each_once() -> None:
    assert match([(10.0, 10.0), (11.0, 11.0)], [(10.9, 10.9), (12.5, 12.5)], 2.0) == [(1, 0, pytest.approx(0.1))]
    assert [p[:2] for p in match([(0.0, 100.0)], [(50.0, 51.0), (3.0, 4.0)], 2.0)] == [(0, 1)]


def test_retracted_undecided_and_ignored_never_count_as_found(tmp_path: Path) -> None:
    truth, events = tmp_path / "t.json", tmp_path / "e.ndjson"
    case = {"kind": "red_light", "t": T0}
    truth.write_text(json.dumps({"violations": [case], "ignore": [{"kind": "red_light", "t": T0 + 60}]}))
    lines = [
        violation("a", "red_light", T0),
        violation("b", "red_light", T0, verdict="retracted", retracts="a"),
        violation("c", "red_light", T0, verdict="undecided"),
        violation("d", "red_light", T0 + 60),
    ]
    events.write_text("\n".join(map(json.dumps, lines)))
    rule = score_files([(truth, events)]).rules["red_light"]
    assert (rule.truth, rule.tp, rule.fp, rule.fn, rule.undecided) == (1, 0, 0, 1, 1)


@pytest.mark.parametrize(
    "content", ["", "[]", "[" * 100_000, '{"violations": 3}', '{"violations": [{"kind": "red_light"}]}']
)
def test_a_file_that_is_no_truth_is_named(tmp_path: Path, content: str) -> None:
    truth, events = tmp_path / "t.json", tmp_path / "e.ndjson"
    truth.write_text(content)
    events.write_text("")
    with pytest.raises(InvalidInputError, match=r"t\.json"):
        score_files([(truth, events)])


def test_lines_that_are_no_events_are_counted(tmp_path: Path) -> None:
    truth, events = tmp_path / "t.json", tmp_path / "e.ndjson"
    truth.write_bytes(b'\xef\xbb\xbf{"violations": []}')
    events.write_text("\n".join(["[" * 100_000, '{"a":' * 5000, "5", json.dumps(violation("a", "red_light", T0))]))
    found = score_files([(truth, events)])
    assert list(found.unusable.values()) == [3]
    assert found.rules["red_light"].fp == 1


def test_pairs_are_asked_for(tmp_path: Path) -> None:
    result = CliRunner().invoke(score, [str(tmp_path / "t.json")])
    assert result.exit_code == 2
    assert "pairs" in result.output
