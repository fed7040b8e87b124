"""`bench streams` on little work: our answer is polars' or DuckDB's, or at least the one by hand."""

import json
from collections import Counter

import numpy as np
from click.testing import CliRunner

from smartstream.bench.streams import JUNCTIONS, PHASES, bench, day_of_state, write_data
from smartstream.bench.streams_flow import run_flow
from smartstream.model.time import NS
from smartstream.streams.columns import Rows


def test_the_flow_counts_what_counting_by_hand_counts(tmp_path):
    write_data(tmp_path / "rows.npz", 30_000, per_second=5_000)
    data = np.load(tmp_path / "rows.npz")
    rows = Rows(data["time"], data["key"], np.zeros(len(data["time"]), np.int64))
    (tmp_path / "recovery").mkdir()
    phases = Rows(data["phase_time"], data["phase_key"], data["phase"])
    _, _, answer = run_flow(rows, phases, JUNCTIONS, PHASES, tmp_path / "recovery")
    begin = int(data["phase_time"][0])
    second = (data["time"] - begin) // NS
    phase = {
        (int(s), int(k)): int(p)
        for s, k, p in zip((data["phase_time"] - begin) // NS, data["phase_key"], data["phase"], strict=True)
    }
    counted = Counter((int(s), int(k), phase[int(s), int(k)]) for s, k in zip(second, data["key"], strict=True))
    mixed = sum(n * (1 + k + 1_000 * p + 10_000 * s) for (s, k, p), n in counted.items())
    assert answer == f"{len(counted)}/{30_000}/{mixed}"


def test_the_state_of_a_day_does_not_grow():
    assert day_of_state(50_000)["growth"] < 1.5


def test_the_command_writes_its_result(tmp_path):
    done = CliRunner().invoke(bench, ["--rows", "20000", "--rounds", "1", "--json", str(tmp_path / "out.json")])
    assert done.exit_code == 0, done.output
    found = json.loads((tmp_path / "out.json").read_text())
    assert found["engines"][0]["name"] == "smartstream"
    assert found["engines"][0]["rows"] == 20_000
