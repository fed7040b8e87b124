"""`smartstream simulate --scenario city`: a run takes it as it is, same seed same city, and its score adds up."""

import hashlib
import json
import subprocess
import sys
from collections import Counter

import pytest

pytest.importorskip("sumo", reason="needs the extra: pip install 'smartstream[simulate]'")

from smartstream.config.site import load_site
from smartstream.score_joins import KINDS, score_cities
from smartstream.simulate.city.scenario import make_city
from smartstream.simulate.city.views import CAMERAS


def quiet(_stage, _part):
    pass


@pytest.fixture(scope="module")
def city(tmp_path_factory):
    folder = tmp_path_factory.mktemp("city")
    make_city(11, 0.2, folder, quiet)
    command = [sys.executable, "-m", "smartstream", "run", folder / "site.toml", "--no-nats"]
    done = subprocess.run([*command, "--events", folder / "events"], capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    return folder


def test_the_same_seed_is_the_same_city(tmp_path):
    def digests(name, seed):
        make_city(seed, 0.05, tmp_path / name, quiet)
        return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted((tmp_path / name).iterdir())}

    first = digests("a", 5)
    assert first == digests("b", 5)
    assert {f"{camera}.ndjson.gz" for camera in CAMERAS} < first.keys()
    other = digests("c", 6)
    assert all(first[name] != other[name] for name in ("truth.json", "sensors.ndjson", "cam-j2w.ndjson.gz"))


def test_a_run_takes_it_as_it_is(city):
    events = [json.loads(line) for line in (city / "events").read_text().splitlines()]
    kinds = Counter(".".join(event["type"].split(".")[2:4]) for event in events)
    assert not [kind for kind in kinds if kind.startswith("dlq.")], kinds
    for kind in ("traffic.crossing", "traffic.flow", "signal.state", "indicator.gateway_balance"):
        assert kinds[kind] > 0, kinds
    counted = [e["data"] for e in events if ".gateway_balance.updated." in e["type"]]
    assert all(sum(data[way] for data in counted) > 100 for way in ("in", "out"))
    site = load_site(city / "site.toml", open_files=True)
    assert {camera.id for camera in site.camera} == set(CAMERAS)


def test_it_has_truth_for_every_join(city):
    truth = json.loads((city / "truth.json").read_text())
    assert set(truth["joins"]) == set(KINDS)
    sums = score_cities([(city / "truth.json", city / "events")])
    assert list(sums) == list(KINDS)
    assert sum(score.true for score in sums.values()) > 0
    done = subprocess.run(
        [sys.executable, "-m", "smartstream", "score", city / "truth.json", city / "events", "--json"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert {row["join"]: row["true"] for row in json.loads(done.stdout)["joins"]} == {
        k: s.true for k, s in sums.items()
    }
