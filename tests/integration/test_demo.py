"""The demo runs by itself, and its clip judged from perfect tracks agrees with its truth in every case."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

from smartstream.config.site import load_site
from smartstream.demo import CLIP
from smartstream.score import score_files


def smartstream(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "smartstream", *map(str, arguments)]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=240)


def test_the_clip_is_small_and_whole() -> None:
    assert sum(f.stat().st_size for f in CLIP.iterdir()) <= 4_000_000
    site = load_site(CLIP / "site.toml")
    assert len({rule.kind for rule in site.camera[0].rule}) == 15
    truth = json.loads((CLIP / "truth.json").read_text())
    assert len({v["kind"] for v in truth["violations"]}) >= 8


def test_from_perfect_tracks_nothing_false_and_nothing_missed(tmp_path: Path) -> None:
    for name in ("signals.ndjson", "tracks.ndjson.gz"):
        shutil.copyfile(CLIP / name, tmp_path / name)
    site = (CLIP / "site.toml").read_text().replace('url = "file:scene.mp4"', 'url = "tracks:tracks.ndjson.gz"')
    (tmp_path / "site.toml").write_text(site)
    result = smartstream("run", tmp_path / "site.toml", "--no-nats", "--events", tmp_path / "events.ndjson")
    assert result.returncode == 0, result.stderr
    score = score_files([(CLIP / "truth.json", tmp_path / "events.ndjson")])
    wrong = {k: (r.fp, r.fn) for k, r in score.rules.items() if r.fp or r.fn}
    assert wrong == {}
    line = score.crossings["S-stop"]
    assert (line.found, line.matched) == (line.truth, line.truth)


def test_demo_prints_violations_ledger_and_score_and_leaves_stills(tmp_path: Path) -> None:
    result = smartstream("demo", "--speed", "max", "--out", tmp_path / "demo")
    assert result.returncode == 0, result.stderr
    for part in ("nghi vấn", "Rules", "Score against the clip's truth", "crossings of S-stop"):
        assert part in result.stdout
    assert "Traceback" not in result.stderr
    assert "ERROR" not in result.stderr
    events = [json.loads(line) for line in (tmp_path / "demo" / "events.ndjson").read_text().splitlines()]
    assert len({e["id"] for e in events}) == len(events)
    assert f"Events: {len(events)} in the file" in result.stdout or "No nats-server" in result.stdout
    assert list((tmp_path / "demo" / "stills").glob("*.png")) or "No stills" in result.stdout
