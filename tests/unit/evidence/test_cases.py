"""Review, recall, redaction: every look and decision in the log, every decision an event, none twice."""

from __future__ import annotations

import json
import shutil
import subprocess
from datetime import date
from hashlib import sha256

import numpy as np
import pytest
from click.testing import CliRunner

pytest.importorskip("cryptography", reason="needs the extra evidence")
pytest.importorskip("cv2", reason="needs the extra draw")

import cv2

from smartstream import _core
from smartstream.cli.recall import recall
from smartstream.cli.review import review
from smartstream.errors import DataLossError, InvalidInputError, UnavailableError
from smartstream.evidence import cases
from smartstream.evidence.audit import ACCESS, REVIEWS, entries
from smartstream.evidence.cases import case
from smartstream.evidence.chain import Withdrawn
from smartstream.evidence.decisions import decide
from smartstream.evidence.desk import Sample
from smartstream.evidence.keys import Signer
from smartstream.evidence.pictures import box_at
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
            "clocks": {
                "act": f"2026-09-21T14:1{n}:00.000000000Z",
                "proof": [f"2026-09-21T14:1{n}:00.000000000Z", f"2026-09-21T14:1{n}:04.000000000Z"],
            },
            "signal": {"shown": None},
            "explanation": {"facts": {}},
            "clauses": [],
            "missing": {},
            "completeness": 1.0,
            "hashes": {"model": "abc" if n < 2 else "def", "configuration": "c0ffee", "calibration": None},
            "stills": [{"role": "at", "time": "t", "file": name, "box": [0.25, 0.25, 0.5, 0.75]}],
            "clip": None,
            "trajectory": [],
            "files": [{"name": name, "sha256": sha256(picture).hexdigest(), "bytes": len(picture)}],
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
    assert [e["decision"] for e in entries(store, REVIEWS)] == ["confirmed", "rejected"]
    assert call(review, "list", store, "--state", "suspected").count("suspected") == 2


def test_of_two_officers_at_once_one_decides(store, tmp_path):
    """Both have looked while it was suspected; a case is not confirmed and rejected."""
    one, signer = case(store, "0000"), Signer.load(tmp_path / "key.pem")
    decide(store, one, "confirmed", signer, officer="A", reason="x", at_ns=T0 * NS)
    with pytest.raises(InvalidInputError, match="found it confirmed"):
        decide(store, one, "rejected", signer, officer="B", reason="y", at_ns=T0 * NS)
    decide(store, one, "retracted", signer, officer="C", reason="z", at_ns=T0 * NS)
    with pytest.raises(InvalidInputError, match="found it retracted"):
        decide(store, one, "retracted", signer, officer="C", reason="z", at_ns=T0 * NS)


def test_the_log_is_signed_with_the_key_beside_the_store_wherever_one_stands(store, monkeypatch):
    monkeypatch.chdir(store)
    call(review, "show", ".", "0", "--officer", "B")
    assert (store.parent / "ev.key.pem").exists()
    assert verify(store) == (4, [])


def test_what_the_run_took_back_is_confirmed_by_nobody(store, tmp_path):
    """The light was stuck: the events said so, and the officer saw a case as good as any."""
    made = EvidenceStore(store, Signer.load(tmp_path / "key.pem"))
    made.prepare()
    taken = Withdrawn("cam", "0" * 32, T0 * NS, "signal_fault")
    made.commit([taken])
    made.commit([taken])
    assert call(review, "list", store, "--state", "retracted").count("retracted") == 1
    assert f"{'0' * 32} (retracted: signal_fault)" in call(review, "show", store, "0", "--officer", "B")
    for decision in ("confirm", "reject"):
        with pytest.raises(InvalidInputError, match="found it retracted"):
            call(review, decision, store, "0000", *BY)
    assert "3 cases retracted" in call(recall, store, "--config", "c0ffee", *BY), "the event of this one has gone out"
    assert verify(store) == (4, [])


def test_what_was_confirmed_is_retracted_once_the_run_takes_it_back(store, tmp_path):
    call(review, "confirm", store, "0000", *BY)
    made = EvidenceStore(store, Signer.load(tmp_path / "key.pem"))
    made.commit([Withdrawn("cam", "0" * 32, T0 * NS, "signal_late")])
    assert "0" * 12 in call(review, "list", store, "--state", "retracted")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda ev: (ev / f"packages/cam/{'0' * 32}/0.jpg").write_bytes(b"another picture"),
        lambda ev: rewrite(ev / f"packages/cam/{'0' * 32}/manifest.json", b"red_light", b"wrong_way"),
        lambda ev: (ev / f"packages/cam/{'0' * 32}/manifest.sig").unlink(),
        lambda ev: (ev / "chain/cam.head").unlink(),
        lambda ev: rewrite(ev / "chain/cam.ndjson", b'"at_ns":"1790000003', b'"at_ns":"1790000004'),
    ],
)
def test_what_was_touched_is_not_confirmed(spoil, store):
    assert "untouched     yes" in call(review, "show", store, "0", "--officer", "B")
    spoil(store)
    assert "untouched     yes" not in call(review, "show", store, "0", "--officer", "B")
    with pytest.raises(DataLossError, match="cannot be confirmed, it is not as it was written"):
        call(review, "confirm", store, "0000", *BY)
    call(review, "reject", store, "0000", *BY)


def rewrite(path, before, after):
    text = path.read_bytes()
    assert before in text
    path.write_bytes(text.replace(before, after))


def test_a_forged_decision_is_not_published(store):
    """Anybody who may write the file could accuse in the name of an officer."""
    call(review, "reject", store, "0000", *BY)
    rewrite(store / REVIEWS, b'"rejected"', b'"confirmed"')
    for command in (("publish", store), ("list", store), ("reject", store, "1111", *BY)):
        with pytest.raises(DataLossError, match=r"reviews\.ndjson: is not as it was written"):
            call(review, *command)


def test_lines_cut_off_a_log_are_missed(store):
    for n in range(3):
        call(review, "reject", store, f"{n}" * 4, *BY)
    lines = (store / REVIEWS).read_bytes().splitlines(keepends=True)
    (store / REVIEWS).write_bytes(b"".join(lines[:2]))
    assert {(f.what, f.where) for f in verify(store)[1]} == {("missing", "reviews.head")}
    with pytest.raises(DataLossError, match="is not as it was written"):
        call(review, "reject", store, "3333", *BY)
    (store / REVIEWS).unlink()
    assert {(f.what, f.where) for f in verify(store)[1]} == {("missing", REVIEWS)}


@pytest.mark.parametrize("where", [("--events", "{0}/none/e.ndjson"), ("--events", "{0}"), ("--site", "{0}/none.toml")])
def test_where_the_event_cannot_go_nothing_is_decided(where, store, tmp_path):
    where = [word.format(tmp_path) for word in where]
    for command, *words in ((review, "confirm", store, "0000"), (recall, store, "--model", "abc")):
        with pytest.raises(InvalidInputError):
            call(command, *words, *BY, *where)
    assert entries(store, REVIEWS) == []


@pytest.mark.parametrize("officer", ["", " ", "\udcff", "A\nB"])
def test_an_officer_has_a_name_that_can_be_written(officer, store):
    for command in (("show", store, "0"), ("confirm", store, "0", "--reason", "x")):
        with pytest.raises(InvalidInputError, match="expected officer"):
            call(review, *command, "--officer", officer)
    assert entries(store, ACCESS) == entries(store, REVIEWS) == []


@pytest.mark.parametrize("text", [b"\xff", b"[" * 100_000, b'{"evidence_id":"x"}', b'{"evidence_id":"\xff"}'])
def test_what_does_not_read_is_named_and_the_rest_goes_on(text, store, capsys):
    (store / f"packages/cam/{'1' * 32}/manifest.json").write_bytes(text)
    with pytest.raises(DataLossError, match=r"1/manifest\.json: does not read .* run smartstream verify"):
        review.main(["list", str(store)], standalone_mode=False)
    listed = capsys.readouterr().out
    assert [n for n in "0123" if n * 12 in listed] == ["0", "2", "3"]
    call(review, "confirm", store, "0000", *BY)
    with pytest.raises(DataLossError, match="does not read"):
        call(recall, store, "--config", "c0ffee", *BY)
    assert [e["decision"] for e in entries(store, REVIEWS)] == ["confirmed", *["retracted"] * 3]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("explanation", None),
        ("signal", []),
        ("clauses", [5]),
        ("missing", 5),
        ("stills", [{}]),
        ("stills", [{"role": "at", "time": "t", "file": "0.jpg", "box": ["x"]}]),
        ("clip", 5),
        ("trajectory", [[5]]),
        ("track", {}),
    ],
)
def test_a_manifest_that_says_something_else_is_none(name, value, store):
    path = store / f"packages/cam/{'0' * 32}/manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {name: value}))
    with pytest.raises(InvalidInputError, match=r"found 0 in .* and 1 packages that do not read"):
        call(review, "show", store, "0", "--officer", "B")


def test_what_was_touched_is_not_exported(store, tmp_path):
    """A box that was moved shows whom the copy is to hide; a path, whatever lies there."""
    rewrite(store / f"packages/cam/{'0' * 32}/manifest.json", b"0.25,0.25,0.5", b"0.00,0.25,0.5")
    with pytest.raises(DataLossError, match="cannot be exported, it is not as it was written"):
        call(review, "export", store, "0", tmp_path / "out", "--officer", "B")
    assert not (tmp_path / "out").exists()


def test_a_package_in_anothers_place_is_no_case(store):
    """A copy under another camera hid the case: two had its id, and no recall went on behind it."""
    shutil.copytree(store / f"packages/cam/{'0' * 32}", store / f"packages/other/{'0' * 32}")
    call(review, "show", store, "0", "--officer", "B")
    with pytest.raises(DataLossError, match=r"packages/other/0.*: does not read \(it is of cam/0"):
        call(recall, store, "--config", "c0ffee", *BY)
    assert len(entries(store, REVIEWS)) == 4


def test_a_log_that_does_not_read_is_named(store):
    (store / REVIEWS).write_bytes(b"[" * 100_000 + b"\n")
    with pytest.raises(DataLossError, match=r"reviews\.ndjson: is not as it was written"):
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
    assert [(e["officer"], e["purpose"]) for e in entries(store, ACCESS)] == [("B", "review"), ("C", "khiếu nại")]
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


@pytest.mark.parametrize(
    ("since", "until", "found"),
    [
        ("2026-09-21T14:11:04Z", "2026-09-21T14:12:00Z", 2),  # one ends, one begins with it
        ("2026-09-21T21:11:04.001+07:00", "2026-09-21T21:11:59.999+07:00", 0),
        ("2026-09-21T14:11:02Z", "2026-09-21T14:11:03Z", 1),  # lasted from before until after
        ("1789999804", "1789999859.999", 1),
    ],
)
def test_a_recall_takes_whatever_reaches_into_its_time(since, until, found, store):
    said = call(recall, store, "--from", since, "--to", until, "--dry-run", *BY)
    assert f"{found} cases would be" in said


def test_a_recall_goes_on_where_another_was_faster(store, monkeypatch):
    every = cases.cases(store)
    call(review, "reject", store, "0000", *BY)
    call(recall, store, "--to", "2026-09-21T14:10:30Z", *BY)
    monkeypatch.setattr(cases, "cases", lambda folder: every)
    assert "3 cases retracted" in call(recall, store, "--config", "c0ffee", *BY)


def test_only_the_accused_vehicle_can_be_recognised(store, tmp_path):
    call(review, "export", store, "0", tmp_path / "out", "--officer", "B")
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"at.jpg", "case.json"}
    assert entries(store, ACCESS)[-1]["purpose"].startswith("export")
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
    assert all(inside < 20 for inside, _ in contrast[22:]), "nobody knows where it was: nothing can be recognised"


def filmed(path, *options, picture="testsrc"):
    if shutil.which("ffmpeg") is None:
        pytest.skip("needs ffmpeg")
    source = ["-f", "lavfi", "-i", f"{picture}=size=320x240:rate=10:duration=2"]
    subprocess.run(["ffmpeg", "-v", "error", *source, "-c:v", "libx264", *options, str(path)], check=True)
    return path


def test_a_clip_that_says_it_lies_on_its_side_is_redacted_as_it_was_coded(tmp_path):
    """Boxes lie in the coded picture: OpenCV turned it, and what it left sharp was somebody else."""
    filmed(tmp_path / "up.mp4", "-pix_fmt", "yuv420p")
    source, copy = tmp_path / "in.mp4", ["-c", "copy", "-metadata:s:v", "rotate=90"]
    subprocess.run(["ffmpeg", "-v", "error", "-i", str(tmp_path / "up.mp4"), *copy, str(source)], check=True)
    if cv2.VideoCapture(str(source)).get(cv2.CAP_PROP_ORIENTATION_META) == 0:
        pytest.skip("this ffmpeg says it in another way")
    assert redact_clip(source, tmp_path / "out.avi", [], first_ns=0) == 20
    assert cv2.VideoCapture(str(tmp_path / "out.avi")).read()[1].shape == (240, 320, 3)


def test_a_clip_that_opencv_cannot_show_is_told(tmp_path):
    """Of interlaced pictures it gives whatever lay in memory."""
    options = ("-pix_fmt", "yuv420p", "-flags", "+ildct+ilme", "-x264-params", "tff=1")
    source = filmed(tmp_path / "in.mp4", *options, picture="testsrc2")
    try:
        redact_clip(source, tmp_path / "out.avi", [], first_ns=0)
    except UnavailableError:
        assert not (tmp_path / "out.avi").exists()
        return
    grey = cv2.cvtColor(cv2.VideoCapture(str(source)).read()[1], cv2.COLOR_BGR2GRAY)
    assert np.corrcoef(grey.ravel(), _core.still(str(source), 0.0).ravel())[0, 1] > 0.9


def test_the_accused_has_no_box_where_nobody_saw_it():
    """Its last box was held for a second: drawn in red over whoever came behind, whose plate was cut out, too."""
    samples = [Sample(round(at * NS), 0, (at / 10, 0.0, at / 10 + 0.1, 0.1)) for at in (0.0, 0.25, 0.5, 2.0, 2.25)]
    boxes = [box_at(samples, round(at * NS)) for at in (-0.2, -0.05, 0.3, 0.55, 0.7, 1.9, 2.1, 2.3, 2.5)]
    assert [box and round(box[0], 3) for box in boxes] == [None, 0.0, 0.03, 0.05, None, 0.2, 0.21, 0.225, None]


def test_a_clip_that_cannot_be_read_is_told_and_leaves_nothing(tmp_path):
    (tmp_path / "in.mp4").write_bytes(b"no video")
    with pytest.raises(UnavailableError, match="cannot read the clip"):
        redact_clip(tmp_path / "in.mp4", tmp_path / "out.avi", [], first_ns=0)
    assert not (tmp_path / "out.avi").exists()
