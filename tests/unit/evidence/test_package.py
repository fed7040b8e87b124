"""A package and the event that tells of it say the same, whatever was held when the case came again."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

pytest.importorskip("cryptography", reason="needs the extra evidence")

from smartstream.config.site import load_site
from smartstream.errors import UnavailableError
from smartstream.evidence.desk import Case, Sample
from smartstream.evidence.keys import Signer
from smartstream.evidence.package import Packer
from smartstream.evidence.pictures import take_pictures
from smartstream.evidence.store import EvidenceStore
from smartstream.model.event import make_event
from smartstream.testing.street import write_street

NS = 10**9
AT = 1_790_000_030 * NS


class Held:
    """Video of everything."""

    def still(self, at_ns):
        return {"time_ns": at_ns, "rgb": np.zeros((48, 64, 3), np.uint8)}

    def clip(self, from_ns, to_ns):
        assert to_ns - from_ns <= 300 * NS, "the core refuses it"
        about = {"container": "mp4", "codec": "h264", "frames": 1, "truncated": False}
        return {"data": b"video", "first_ns": from_ns, "last_ns": to_ns, **about}


class Gone:
    """A camera that was connected again: nothing is left of what it showed."""

    def still(self, *_):
        raise UnavailableError("the camera has no picture yet")

    clip = still


@pytest.fixture
def case():
    data = dict.fromkeys(("lane", "line", "zone", "class", "track", "signal"))
    data |= {"kind": "wrong_way", "evidence_id": "e" * 32, "explanation": {}, "text": "?", "clauses": []}
    kind = ("violation", "wrong_way", "suspected")
    event = make_event(site="street", entity="cam", kind=kind, subject="j1/cam/_", at_ns=AT, key="k", data=data)
    samples = tuple(Sample(AT + k * NS // 4, k, (0.1, 0.1, 0.5, 0.5)) for k in range(-8, 8))
    return Case(
        junction="j1", camera="cam", evidence="e" * 32, event=event, at_ns=AT, first_ns=AT, last_ns=AT, samples=samples
    )


def test_of_an_act_longer_than_a_clip_the_end_is_shown(case, tmp_path):
    """Who had parked for more than five minutes was accused without any clip."""
    (camera,) = load_site(write_street(tmp_path, seconds=1.0, seed=1)).camera
    act = msgspec.structs.replace(case, first_ns=AT - 3600 * NS, at_ns=AT - 3600 * NS)
    taken = take_pictures(act, camera, Held(), place="?", timezone="Asia/Ho_Chi_Minh")
    assert taken.clip["last"].startswith("2026-09-21T14:13:56")
    assert taken.clip["first"].startswith("2026-09-21T14:08:56")
    assert "five minutes" in taken.missing["whole clip"]


def test_a_case_that_comes_again_is_told_as_it_lies_in_the_store(case, tmp_path):
    """Killed behind the package and before the commit: the event said that pictures were missing which were there."""
    store = EvidenceStore(tmp_path / "ev", Signer.load(tmp_path / "key.pem", create=True))
    store.prepare()
    packer = Packer(load_site(write_street(tmp_path, seconds=1.0, seed=1)), store, {})
    first, packed = packer.pack(case, Held())
    again, same = packer.pack(case, Gone())
    assert "clip" not in first.data["missing"]
    assert again.to_json() == first.to_json()
    assert same == packed


@pytest.mark.parametrize(
    ("samples", "why"),
    [
        (((-9, (0.1, 0.1, 0.5, 0.5)), (9, (0.1, 0.1, 0.5, 0.5))), "no box"),
        (((-1, (0.1, 0.1, 0.12, 0.12)), (1, (0.1, 0.1, 0.12, 0.12))), "too small"),
    ],
)
def test_of_a_vehicle_that_cannot_be_cut_out_the_reason_is_named(case, tmp_path, samples, why):
    """A package said 92 % and named nothing that it lacked."""
    (camera,) = load_site(write_street(tmp_path, seconds=1.0, seed=1)).camera
    rows = tuple(Sample(AT + k * NS // 4, k, box) for k, box in samples)
    act = msgspec.structs.replace(case, samples=rows)
    taken = take_pictures(act, camera, Held(), place="?", timezone="Asia/Ho_Chi_Minh")
    assert why in taken.missing["vehicle"]
    assert not any("vehicle" in still for still in taken.stills)
