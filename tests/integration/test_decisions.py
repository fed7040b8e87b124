"""What officers decide about cases of a real run reaches a real nats-server; two processes keep the same evidence."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("cryptography", reason="needs the extra evidence")

from smartstream.evidence.keys import Signer
from smartstream.evidence.verify import verify
from smartstream.testing.broker import Broker, programs, read_stream
from smartstream.testing.street import write_street

if not programs():
    pytest.skip("needs a nats-server", allow_module_level=True)


def smartstream(*words: object, env: dict[str, str] | None = None, code: int = 0) -> str:
    line = [sys.executable, "-m", "smartstream", *map(str, words)]
    done = subprocess.run(line, capture_output=True, text=True, env=os.environ | (env or {}), timeout=120, check=False)
    assert done.returncode == code, done.stderr
    return done.stderr


def written(folder: Path, more: str = "") -> Path:
    folder.mkdir()
    site = write_street(folder, seconds=60.0, seed=5)
    evidence = '\n[evidence]\ndir = "ev"\nkey = "../key.pem"\n'
    Signer.load(folder.parent / "key.pem", create=True)
    site.write_text(site.read_text().replace('url = "embedded"', more or 'url = "embedded"') + evidence)
    return site


def test_a_confirmation_and_a_recall_reach_the_broker_once(tmp_path):
    with Broker(tmp_path / "nats", programs()[0]) as broker:
        access = broker.access
        env = {"SMARTSTREAM_NATS_USER": access.user, "SMARTSTREAM_NATS_PASSWORD": access.password}
        site = written(tmp_path / "s", f'url = "{access.url}"')
        smartstream("run", site, env=env)
        store = site.parent / "ev"
        cases = sorted(path.name for path in store.glob("packages/*/*"))
        assert len(cases) >= 3
        who = ("--officer", "Đội 1", "--site", site)
        smartstream("review", "confirm", store, cases[0], *who, "--reason", "rõ ràng", env=env)
        smartstream("review", "reject", store, cases[1], *who, "--reason", "xe ưu tiên", env=env)

        broker.kill()
        told = smartstream("review", "confirm", store, cases[2], *who, "--reason", "rõ ràng", env=env, code=1)
        assert "not published" in told
        assert "decisions stand in the log" in told
        assert "Traceback" not in told
        broker.start()
        for _ in range(2):
            smartstream("review", "publish", store, "--site", site, env=env)

        recall = ("recall", store, "--from", "2020-01-01T00:00:00Z", *who, "--reason", "sai hiệu chuẩn")
        smartstream(*recall, env=env)
        smartstream(*recall, env=env)

        events = [json.loads(body) for body in read_stream(access, "IOC_EVENTS")]
        decided = [e for e in events if e["type"].split(".")[-2] in ("confirmed", "rejected", "retracted")]
        verbs = [(e["type"].split(".")[-2], e["data"].get("evidence_id")) for e in decided]
        assert [v for v in verbs if v[0] != "retracted"] == [
            ("confirmed", cases[0]),
            ("rejected", cases[1]),
            ("confirmed", cases[2]),
        ]
        recalled = [e for e in decided if e["type"].split(".")[-2] == "retracted"]
        assert sorted(e["data"]["evidence_id"] for e in recalled) == cases, "each once, though called twice"
        suspected = {e["id"] for e in events if e["type"].endswith(".suspected.v1")}
        assert {e["data"]["retracts"] for e in recalled} <= suspected
        assert verify(store)[1] == []


def test_two_processes_keep_the_same_evidence(tmp_path):
    stores = []
    for name, processes in (("a", 1), ("b", 2)):
        site = written(tmp_path / name)
        smartstream("run", site, "--no-nats", "--events", site.parent / "e", "--processes", processes)
        store = site.parent / "ev"
        packages = {p.parent.name: p.read_bytes() for p in sorted(store.glob("packages/*/*/manifest.json"))}
        assert verify(store) == (len(packages), [])
        stores.append((packages, sorted((site.parent / "e").read_text().splitlines())))
    assert stores[0][0].keys() == stores[1][0].keys() != set()
    assert stores[0][1] == stores[1][1]
