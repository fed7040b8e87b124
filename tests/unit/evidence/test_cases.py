"""Review, recall, redaction: every look and decision in the log, every decision an event, none twice."""

from __future__ import annotations

import json
from datetime import date

import numpy as np
import pytest
from click.testing import CliRunner

pytest.importorskip("cryptography", reason="needs the extra evidence")
pytest.importorskip("cv2", reason="needs the extra draw")

import cv2

from smartstream.cli.recall import recall
from smartstream.cli.review import review
from smartstream.errors import InvalidInputError, UnavailableError
from smartstream.evidence.audit import ACCESS, REVIEWS, entries
from smartstream.evidence.cases import case, decide
from smartstream.evidence.desk import Sample
from smartstream.evidence.keys import Signer
from smartstream.evidence.pseudonym import plate_pseudonym
from smartstream.evidence.redact import redact, redact_clip
from smartstream.evidence.store import EvidenceStore
from smartstream.evidence.verify import verify

NS = 10**9
T0 = 1_790_000_000


@pytest.fixture
def store(tmp_path):
    folder = tmp_path / "ev"
    made = EvidenceStore(folder, Signer.load(tmp_path / "key.pem", create=True))
    made.prepare()
    packed = []
    noise = np.random.default_rng(1).integers(0, 255, (360, 640, 3)).astype(np.uint8)
    picture = cv2.imencode(".jpg", noise)[1].tobytes()
    for n in range(4):
        name = f"{n}.jpg"
        manifest = {
            "evidence_id": f"{n}" * 32,
            "violation": {"id": f"v{n}", "type": "t", "time": f"2026-09-21T14:1{n}:00.000Z"},
            "kind": "red_light",
            "site": "demo",
            "junction": {"id": "j1", "name": "Ngã tư"},
            "camera": "cam",
            **dict.fromkeys(("lane", "line", "zone", "class", "track")),
            "clocks": {"act": "t", "proof": ["a", "b"]},
            "signal": {"shown": None},
            "explanation": {"facts": {}},
            "clauses": [],
            "missing": {},
            "completeness": 1.0,
            "hashes": {"model": "abc" if n < 2 else "def", "configuration": "c0ffee", "calibration": None},
            "stills": [{"role": "at", "time": "t", "file": name, "box": [0.25, 0.25, 0.5, 0.75]}],
            "clip": None,
            "files": [],
        }
        packed.append(made.put("cam", f"{n}" * 32, manifest, {name: picture}, (T0 + n) * NS))
    made.commit(packed)
    return folder


def call(command, *args):
    done = CliRunner().invoke(command, [str(a) for a in args])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.output


BY = ("--officer", "Nguyễn Văn A", "--reason", "rõ biển số")


def test_a_case_is_decided_once_by_a_named_officer(store, tmp_path):
    out = tmp_path / "decided.ndjson"
    call(review, "confirm", store, "0000", *BY, "--events", out)
    call(review, "reject", store, "1111", *BY, "--events", out)
    with pytest.raises(InvalidInputError, match="found it confirmed"):
        call(review, "reject", store, "0000", *BY)
    with pytest.raises(InvalidInputError, match="expected officer"):
        call(review, "reject", store, "2222", "--officer", " ", "--reason", "x")
    events = [json.loads(line) for line in out.read_text().splitlines()]
    assert [e["type"] for e in events] == [f"vn.ioc.violation.red_light.{v}.v1" for v in ("confirmed", "rejected")]
    assert [e["data"]["violation"] for e in events] == ["v0", "v1"]
    assert [e["decision"] for e in entries(store / REVIEWS)] == ["confirmed", "rejected"]
    assert call(review, "list", store, "--state", "suspected").count("suspected") == 2


def test_of_two_officers_at_once_one_decides(store):
    """Both have looked while it was suspected; a case is not confirmed and rejected."""
    one = case(store, "0000")
    decide(store, one, "confirmed", officer="A", reason="x", at_ns=T0 * NS)
    with pytest.raises(InvalidInputError, match="found it confirmed"):
        decide(store, one, "rejected", officer="B", reason="y", at_ns=T0 * NS)
    decide(store, one, "retracted", officer="C", reason="z", at_ns=T0 * NS)
    with pytest.raises(InvalidInputError, match="found it retracted"):
        decide(store, one, "retracted", officer="C", reason="z", at_ns=T0 * NS)


@pytest.mark.parametrize("where", [("--events", "{0}/none/e.ndjson"), ("--events", "{0}"), ("--site", "{0}/none.toml")])
def test_where_the_event_cannot_go_nothing_is_decided(where, store, tmp_path):
    where = [word.format(tmp_path) for word in where]
    for command, *words in ((review, "confirm", store, "0000"), (recall, store, "--model", "abc")):
        with pytest.raises(InvalidInputError):
            call(command, *words, *BY, *where)
    assert entries(store / REVIEWS) == []


@pytest.mark.parametrize("officer", ["", " ", "\udcff", "A\nB"])
def test_an_officer_has_a_name_that_can_be_written(officer, store):
    for command in (("show", store, "0"), ("confirm", store, "0", "--reason", "x")):
        with pytest.raises(InvalidInputError, match="expected officer"):
            call(review, *command, "--officer", officer)
    assert entries(store / ACCESS) == entries(store / REVIEWS) == []


@pytest.mark.parametrize("text", [b"\xff", b"[" * 100_000, b'{"evidence_id":"x"}', b'{"evidence_id":"\xff"}'])
def test_what_does_not_read_is_named(text, store):
    next(store.glob("packages/*/*/manifest.json")).write_bytes(text)
    with pytest.raises(InvalidInputError, match=r"manifest\.json: does not read .* run smartstream verify"):
        call(review, "list", store)


def test_a_log_that_does_not_read_is_named(store):
    (store / REVIEWS).write_bytes(b"[" * 100_000 + b"\n")
    with pytest.raises(InvalidInputError, match=r"reviews\.ndjson:1: does not read"):
        call(review, "confirm", store, "0000", *BY)


def test_an_export_that_cannot_be_written_says_so(store, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InvalidInputError, match="cannot be written"):
        call(review, "export", store, "0", tmp_path / "file", "--officer", "B")


def test_ids_and_instants_of_a_list_are_whole_however_narrow(store, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    listed = call(review, "list", store)
    assert "000000000000" in listed
    assert "2026-09-21T14:10:00.000Z" in listed


def test_paths_that_are_shown_are_whole(store, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    assert f"{store}/packages/cam/{'0' * 32}/0.jpg\n" in call(review, "show", store, "0", "--officer", "B")


def test_every_look_is_logged_and_the_log_only_grows(store):
    call(review, "show", store, "0", "--officer", "B")
    call(review, "show", store, "1", "--officer", "C", "--purpose", "khiếu nại")
    assert [(e["officer"], e["purpose"]) for e in entries(store / ACCESS)] == [("B", "review"), ("C", "khiếu nại")]
    log = (store / ACCESS).read_text()
    (store / ACCESS).write_text(log.replace('"B"', '"X"'))
    assert {f.where for f in verify(store)[1]} >= {f"{ACCESS}:1"}


def test_what_rests_on_a_faulty_model_is_recalled_once(store, tmp_path):
    out = tmp_path / "recalled.ndjson"
    call(review, "confirm", store, "0000", *BY)
    assert "2 cases would be" in call(recall, store, "--model", "abc", "--dry-run", *BY)
    call(recall, store, "--model", "abc", *BY, "--events", out)
    assert "0 cases" in call(recall, store, "--model", "abc", *BY, "--events", out)
    events = [json.loads(line) for line in out.read_text().splitlines()]
    assert [e["data"]["retracts"] for e in events] == ["v0", "v1"]
    assert "1 cases" in call(recall, store, "--config", "c0ff", "--from", "2026-09-21T14:13:00Z", *BY)
    with pytest.raises(InvalidInputError, match="at least one"):
        call(recall, store, *BY)


def test_only_the_accused_vehicle_can_be_recognised(store, tmp_path):
    call(review, "export", store, "0", tmp_path / "out", "--officer", "B")
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"at.jpg", "case.json"}
    assert entries(store / ACCESS)[-1]["purpose"].startswith("export")
    noise = np.random.default_rng(1).integers(0, 255, (360, 640, 3)).astype(np.uint8)
    blurred = redact(noise, [0.25, 0.25, 0.5, 0.75])
    inside = np.zeros((360, 640), bool)
    inside[90:270, 160:320] = True
    assert (blurred[inside] == noise[inside]).all()
    assert blurred[~inside].std() < 20 < noise[~inside].std()
    assert redact(noise, None).std() < 20


def test_a_plate_joins_within_a_day_only():
    secret, day = b"0123456789abcdef", date(2026, 9, 21)
    one = plate_pseudonym("20-B1 234.56", day=day, secret=secret)
    assert one == plate_pseudonym("20b123456", day=day, secret=secret)
    assert one != plate_pseudonym("20b123456", day=date(2026, 9, 22), secret=secret)
    assert one != plate_pseudonym("20b123457", day=day, secret=secret)
    with pytest.raises(ValueError, match="16 bytes"):
        plate_pseudonym("x", day=day, secret=b"short")


def test_a_redacted_clip_shows_the_accused_alone(tmp_path):
    """A chequered street: sharp edges survive where the vehicle is, then and there, and nowhere else."""
    size, box = (320, 192), (0.25, 0.25, 0.5, 0.75)
    chequered = (np.indices((size[1], size[0])).sum(axis=0) // 4 % 2 * 255).astype(np.uint8)
    writer = cv2.VideoWriter(str(tmp_path / "in.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 10.0, size)
    for _ in range(60):
        writer.write(np.dstack([chequered] * 3))
    writer.release()
    samples = [Sample((T0 + k) * NS, k, box) for k in range(3)]
    assert redact_clip(tmp_path / "in.avi", tmp_path / "out.avi", samples, first_ns=T0 * NS) == 60

    reader, contrast = cv2.VideoCapture(str(tmp_path / "out.avi")), []
    while (picture := reader.read())[0]:
        grey = cv2.cvtColor(picture[1], cv2.COLOR_BGR2GRAY)
        inside = grey[56:136, 88:152]
        outside = np.concatenate([grey[:, :72].ravel(), grey[:, 168:].ravel()])
        contrast.append((float(inside.std()), float(outside.std())))
    assert len(contrast) == 60
    assert all(outside < 20 for _, outside in contrast)
    assert all(inside > 80 for inside, _ in contrast[:20])
    assert all(inside < 20 for inside, _ in contrast[35:]), "nobody knows where it was: nothing can be recognised"


def test_a_clip_that_cannot_be_read_is_told_and_leaves_nothing(tmp_path):
    (tmp_path / "in.mp4").write_bytes(b"no video")
    with pytest.raises(UnavailableError, match="cannot read the clip"):
        redact_clip(tmp_path / "in.mp4", tmp_path / "out.avi", [], first_ns=0)
    assert not (tmp_path / "out.avi").exists()
