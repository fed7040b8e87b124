"""What an intruder does to a store is found and named, crashes nothing, and is not hidden by the next run."""

from __future__ import annotations

import errno
import json
import os
import shutil

import pytest

pytest.importorskip("cryptography", reason="needs the extra evidence")

from test_store import NS, drop, fill

from smartstream.errors import DataLossError, InvalidInputError
from smartstream.evidence import lines, store
from smartstream.evidence.audit import ACCESS, REVIEWS, append, entries
from smartstream.evidence.canonical import canonical
from smartstream.evidence.chain import Withdrawn
from smartstream.evidence.keys import Signer, publish
from smartstream.evidence.store import EvidenceStore
from smartstream.evidence.told import told_by
from smartstream.evidence.verify import verify

FIRST = "packages/cam-0/00000002"


@pytest.fixture
def ev(tmp_path):
    folder = tmp_path / "ev"
    made, _ = fill(folder, 10)
    made.commit([Withdrawn("cam-0", f"{2:08x}", 2 * NS, "signal_fault")])
    signer = Signer.load(folder.with_suffix(".pem"))
    for log in (ACCESS, REVIEWS):
        for n in (2, 4):
            append(folder, log, {"evidence_id": f"{n:08x}", "officer": "a"}, signer)
    assert verify(folder) == (10, [])
    return folder


def replace(path, before, after, count=1):
    text = path.read_bytes()
    assert before in text
    path.write_bytes(text.replace(before, after, count))


def instead(path, make):
    path.unlink()
    make(path)


def point(path):
    """A link to the same bytes elsewhere: today they are right."""
    shutil.move(path, path.parent.parent.parent / "elsewhere")
    path.symlink_to(path.parent.parent.parent / "elsewhere")


def plant(folder, **said):
    """A head signed with a key of one's own, laid into the store."""
    stranger = Signer.load(folder.parent / "stranger.pem", create=True)
    publish(folder, stranger)
    head = {"of": "chain/cam-0.ndjson", "length": 5, "last": "", "key": stranger.key} | said
    head["signature"] = stranger.sign(canonical(head))
    (folder / "chain/cam-0.head").write_bytes(canonical(head))


def picture(folder):
    return next((folder / FIRST).glob("*.jpg"))


@pytest.mark.parametrize(
    ("what", "where", "spoil"),
    [
        ("altered", "chain/cam-0.ndjson:1", lambda ev: replace(ev / "chain/cam-0.ndjson", b"\n", b"\r")),
        ("altered", "chain/cam-0.ndjson:1", lambda ev: replace(ev / "chain/cam-0.ndjson", b"\n", b"\r\n")),
        ("altered", "chain/cam-0.ndjson:2", lambda ev: replace(ev / "chain/cam-0.ndjson", b"\n", b"\n\n")),
        ("altered", f"{ACCESS}:1", lambda ev: replace(ev / ACCESS, b"\n", b"\r")),
        ("missing", "chain/cam-0.head", lambda ev: drop(ev / "chain/cam-0.ndjson", 5)),
        ("altered", "chain/cam-0.ndjson", lambda ev: instead(ev / "chain/cam-0.ndjson", os.mkdir)),
        ("altered", "chain/cam-0.ndjson", lambda ev: instead(ev / "chain/cam-0.ndjson", os.mkfifo)),
        ("altered", "chain/cam-0.head", lambda ev: instead(ev / "chain/cam-0.head", os.mkfifo)),
        ("altered", "chain/cam-0.head", lambda ev: plant(ev, length="x")),
        ("altered", "chain/cam-0.head", lambda ev: plant(ev, length=[])),
        ("altered", "chain/cam-0.head", lambda ev: plant(ev, length=1)),
        ("missing", "chain/cam-0.head", lambda ev: plant(ev, length=2**50)),
        ("altered", f"keys/{'0' * 32}.pub", lambda ev: os.mkfifo(ev / f"keys/{'0' * 32}.pub")),
        ("altered", ACCESS, lambda ev: instead(ev / ACCESS, os.mkdir)),
        ("altered", REVIEWS, lambda ev: instead(ev / REVIEWS, os.mkfifo)),
        ("missing", "reviews.head", lambda ev: drop(ev / REVIEWS, 1)),
        ("missing", "reviews.head", lambda ev: (ev / "reviews.head").unlink()),
        ("missing", REVIEWS, lambda ev: (ev / REVIEWS).unlink()),
        ("missing", f"{REVIEWS}:1", lambda ev: drop(ev / REVIEWS, 0)),
        ("altered", f"{REVIEWS}:1", lambda ev: replace(ev / REVIEWS, b'"officer":"a"', b'"officer":"b"')),
        ("altered", f"{REVIEWS}:1", lambda ev: replace(ev / REVIEWS, b'"officer":"a"', b'"officer":"a","officer":"a"')),
        ("altered", picture, lambda ev: point(picture(ev))),
        ("missing", f"{FIRST}/manifest.json", lambda ev: point(ev / FIRST / "manifest.json")),
        ("missing", FIRST, lambda ev: point(ev / FIRST)),
        ("missing", FIRST, lambda ev: shutil.rmtree(ev / "packages")),
        ("altered", picture, lambda ev: instead(picture(ev), os.mkfifo)),
        ("added", f"{FIRST}/.more", lambda ev: (ev / FIRST / ".more").mkdir()),
    ],
)
def test_what_was_done_is_named(what, where, spoil, ev):
    named = where if isinstance(where, str) else where(ev).relative_to(ev).as_posix()
    spoil(ev)
    assert (what, named) in {(f.what, f.where) for f in verify(ev)[1]}


def test_a_case_that_only_the_logs_know_is_missed(ev):
    """The chain of a camera is gone with its packages and its head: officers had looked at them."""
    for path in (ev / "chain").glob("cam-0.*"):
        path.unlink()
    shutil.rmtree(ev / "packages/cam-0")
    assert {f.where for f in verify(ev)[1]} == {f"{log}:{n}" for log in (ACCESS, REVIEWS) for n in (1, 2)}


def test_events_know_what_was_taken_with_all_that_told_of_it(ev, tmp_path):
    """An older state of the store put back whole: every signature in it holds."""
    events = tmp_path / "events"
    links = [json.loads(line) for line in (ev / "chain/cam-0.ndjson").read_text().splitlines()]
    told = [("evidence", link["evidence"], {"hash": link["manifest"]}) for link in links[:5]]
    told += [("evidence", "beef", {"hash": None, "why": "disk_full"}), ("retracted", f"{2:08x}", {"retracts": "v"})]
    shutil.copytree(ev, tmp_path / "old")
    made, (package,) = fill(ev, 11)[0], fill(ev, 11)[1][-1:]
    by = {"officer": "a", "at": "2026-09-21T14:13:32.040Z"}
    append(ev, REVIEWS, {"evidence_id": package.evidence, "decision": "confirmed", **by}, made._signer)
    told += [("evidence", package.evidence, {"hash": package.manifest}), ("confirmed", package.evidence, by)]
    lines = [
        {"type": f"vn.ioc.violation.red_light.{verb}.v1", "data": {"evidence_id": evidence, **data}}
        for verb, evidence, data in told
    ]
    events.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert verify(ev, told=told_by(events)) == (11, [])
    assert verify(tmp_path / "old") == (10, [])
    assert {f.where for f in verify(tmp_path / "old", told=told_by(events))[1]} == {"events:8", "events:9"}


@pytest.mark.parametrize("line", [b"\xff", b"[" * 100_000, b"[]", b"{}", b'{"type":5}', b'{"type":"a","data":5}'])
def test_what_is_no_event_is_told(line, tmp_path):
    (tmp_path / "events").write_bytes(line + b"\n")
    with pytest.raises(InvalidInputError, match="events, line 1: expected an event"):
        told_by(tmp_path / "events")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda ev: drop(ev / "chain/cam-0.ndjson", 5),
        lambda ev: (ev / "chain/cam-0.ndjson").unlink(),
        lambda ev: (ev / "chain/cam-0.head").unlink(),
        lambda ev: replace(ev / "chain/cam-0.ndjson", b'"size":', b'"size":9000000'),
        lambda ev: replace(ev / "chain/cam-0.ndjson", b'"at_ns":"', b'"at_ns":"x'),
        lambda ev: (ev / "chain/cam-0.ndjson").open("ab").write(b'{"seq":6}\n'),
    ],
)
def test_a_chain_that_was_touched_is_written_no_more(spoil, ev):
    """The next run signed a new head over what was left: what was cut off showed nowhere any more."""
    spoil(ev)
    before = verify(ev)[1]
    with pytest.raises(DataLossError, match="is not as it was written; run smartstream verify"):
        fill(ev, 20, max_bytes=100_000)
    assert {(f.what, f.where) for f in before} <= {(f.what, f.where) for f in verify(ev)[1]}
    assert (ev / FIRST).is_dir()


def test_killed_before_the_head_was_written_it_goes_on(ev, monkeypatch):
    with monkeypatch.context() as m:
        m.setattr(lines, "replace", lambda path, content: None)
        fill(ev, 20)
    assert {f.where for f in verify(ev)[1]} == {"chain/cam-0.head", "chain/cam-1.head"}
    fill(ev, 22)
    assert verify(ev) == (22, [])


def test_a_head_that_found_no_room_is_written_at_the_next_commit(ev, monkeypatch):
    made = EvidenceStore(ev, Signer.load(ev.with_suffix(".pem")))
    with monkeypatch.context() as m:
        m.setattr(lines, "replace", no_room)
        with pytest.raises(OSError, match="No space"):
            made.commit([Withdrawn("cam-1", f"{3:08x}", 3 * NS, "signal_late")])
    made.commit([])
    assert verify(ev) == (10, [])


def no_room(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_decision_that_stands_in_the_log_counts(ev, monkeypatch):
    """The disk took the line and not its head: the officer was told that nothing was decided, and it was."""
    signer = Signer.load(ev.with_suffix(".pem"))
    with monkeypatch.context() as m:
        m.setattr(lines, "replace", no_room)
        append(ev, REVIEWS, {"evidence_id": f"{6:08x}"}, signer)
        with monkeypatch.context() as full:
            full.setattr(lines.os, "fsync", no_room)
            with pytest.raises(InvalidInputError, match="No space"):
                append(ev, REVIEWS, {"evidence_id": f"{8:08x}"}, signer)
    assert [entry["evidence_id"] for entry in entries(ev, REVIEWS)] == [f"{n:08x}" for n in (2, 4, 6)]
    append(ev, REVIEWS, {"evidence_id": f"{8:08x}"}, signer)
    assert verify(ev) == (10, [])


def test_what_could_not_be_deleted_at_once_is_deleted_later(ev, monkeypatch):
    """The tombstone found no room, or the run was killed behind it: the package lay there for ever."""
    signer = Signer.load(ev.with_suffix(".pem"))
    made = EvidenceStore(ev, signer, max_bytes=2000)
    taken = Withdrawn("cam-1", f"{3:08x}", 3 * NS, "signal_late")
    with monkeypatch.context() as m:
        m.setattr(EvidenceStore, "_clear", no_room)
        with pytest.raises(OSError, match="No space"):
            made.commit([taken])
    assert "unlinked" in {f.what for f in verify(ev)[1]}
    EvidenceStore(ev, signer, max_bytes=2000).commit([taken])
    packages, findings = verify(ev)
    assert findings == []
    assert packages == len(list(ev.glob("packages/*/*"))) < 10


def test_a_new_key_goes_on_where_the_old_one_ended(ev):
    ev.with_suffix(".pem").unlink()
    fill(ev, 12)
    assert len(list((ev / "keys").iterdir())) == 2
    assert verify(ev) == (12, [])


def test_what_was_deleted_and_comes_again_is_deleted_again(tmp_path):
    """A file run again without recovery: the store grew beyond its bound by what no chain counted."""
    fill(tmp_path / "ev", 20, max_bytes=5000)
    kept = verify(tmp_path / "ev")
    fill(tmp_path / "ev", 20, max_bytes=5000)
    assert verify(tmp_path / "ev") == kept
    assert kept[1] == []


def test_an_act_dated_into_the_future_makes_nothing_old(tmp_path, monkeypatch):
    """A start_time with one digit wrong: every package of the year was deleted, each with a tombstone."""
    monkeypatch.setattr(store.time, "time_ns", lambda: 100 * NS)
    made, _ = fill(tmp_path / "ev", 4, retention_days=1.0)
    late = made.put("cam-0", "ffff", {"evidence_id": "ffff", "files": []}, {}, 10**9 * NS)
    made.commit([late])
    assert verify(tmp_path / "ev") == (5, [])


def test_what_lies_in_a_packages_place_is_not_linked(tmp_path):
    made, _ = fill(tmp_path / "ev", 2)
    place = made.package("cam-0", "ffff")
    place.mkdir()
    (place / "manifest.json").write_bytes(b'{"class":"car"}')
    with pytest.raises(OSError, match="was not written here"):
        made.put("cam-0", "ffff", {"files": []}, {}, 5 * NS)
