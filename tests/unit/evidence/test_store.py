"""The evidence store: whole packages or none, one link each, and every touched byte found by its name."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import tempfile
from hashlib import sha256
from pathlib import Path

import pytest

pytest.importorskip("cryptography", reason="needs the extra evidence")

from smartstream.evidence.audit import ACCESS, REVIEWS, append
from smartstream.evidence.keys import Signer
from smartstream.evidence.store import EvidenceStore
from smartstream.evidence.verify import verify

NS = 10**9


def fill(folder, packages, *, cameras=2, size=200, **bounds):
    store = EvidenceStore(folder, Signer.load(folder.with_suffix(".pem"), create=True), **bounds)
    store.prepare()
    packed = []
    for n in range(packages):
        content = random.Random(n).randbytes(size)
        name = f"{sha256(content).hexdigest()}.jpg"
        manifest = {"evidence_id": f"{n:08x}", "files": [{"name": name, "sha256": name[:64]}], "n": n / 7}
        packed.append(store.put(f"cam-{n % cameras}", f"{n:08x}", manifest, {name: content}, n * NS))
    store.commit(packed)
    return store, packed


@pytest.fixture(scope="module")
def thousand(tmp_path_factory):
    memory = Path("/dev/shm")  # thousands of syncs
    place = tempfile.mkdtemp(dir=memory if os.access(memory, os.W_OK) else tmp_path_factory.mktemp("store"))
    folder = Path(place) / "ev"
    fill(folder, 1000)
    signer = Signer.load(folder.with_suffix(".pem"))
    append(folder, ACCESS, {"evidence_id": f"{3:08x}", "officer": "a", "purpose": "p"}, signer)
    append(folder, ACCESS, {"evidence_id": f"{5:08x}", "officer": "b", "purpose": "p"}, signer)
    assert verify(folder) == (1000, [])
    yield folder
    shutil.rmtree(place)


def test_one_byte_changed_anywhere_is_found_and_named(thousand):
    files = sorted(p for p in thousand.rglob("*") if p.is_file())
    rng = random.Random(4)
    special = [p for p in files if p.parent.name in ("chain", "keys") or p.stem == Path(ACCESS).stem]
    for path in [*special, *rng.sample(files, 4)]:
        before = path.read_bytes()
        at = rng.randrange(len(before))
        after = bytearray(before)
        after[at] ^= 1 << rng.randrange(8)
        path.write_bytes(after)
        named = {f.where.split(":")[0] for f in verify(thousand)[1]}
        path.write_bytes(before)
        assert path.relative_to(thousand).as_posix() in named, (path, at)


@pytest.mark.parametrize(
    ("what", "spoil"),
    [
        ("missing", lambda ev: next((ev / "packages/cam-0/00000002").glob("*.jpg")).unlink()),
        ("missing", lambda ev: shutil.rmtree(ev / "packages/cam-0/00000002")),
        ("added", lambda ev: (ev / "packages/cam-0/00000002/more.jpg").write_bytes(b"x")),
        ("unlinked", lambda ev: shutil.copytree(ev / "packages/cam-0/00000002", ev / "packages/cam-0/ffff")),
        ("added", lambda ev: (ev / "note.txt").write_bytes(b"x")),
        ("reordered", lambda ev: swap(ev / "chain/cam-0.ndjson", 1, 2)),
        ("missing", lambda ev: drop(ev / "chain/cam-0.ndjson", 1)),
        ("missing", lambda ev: drop(ev / "chain/cam-0.ndjson", 4)),
        ("missing", lambda ev: (ev / "chain/cam-0.head").unlink()),
        ("missing", lambda ev: (ev / "chain/cam-0.ndjson").unlink()),
        *(
            ("altered", lambda ev, file=file, text=text: (ev / file).write_bytes(text))
            for file in (
                "packages/cam-0/00000002/manifest.json",
                "packages/cam-0/00000002/manifest.sig",
                "chain/cam-0.ndjson",
                "chain/cam-0.head",
                REVIEWS,
            )
            for text in (
                b"\xff\n",
                b'{"camera":"\xff"}\n',
                b"[" * 100_000,
                b'{"files":5,"signature":5,"key":[],"length":"x","hash":1e999}\n',
                b'{"files":[5,{"name":"."}],"hash":5,"prev":5}\n',
                b"[]\n",
            )
        ),
    ],
)
def test_what_was_taken_added_or_moved_is_told(what, spoil, tmp_path):
    fill(tmp_path / "ev", 10)
    assert verify(tmp_path / "ev") == (10, [])
    spoil(tmp_path / "ev")
    assert what in {f.what for f in verify(tmp_path / "ev")[1]}


def swap(path, a, b):
    lines = path.read_bytes().splitlines(keepends=True)
    lines[a], lines[b] = lines[b], lines[a]
    path.write_bytes(b"".join(lines))


def drop(path, n):
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:n] + lines[n + 1 :]))


def test_a_strangers_key_is_not_trusted(tmp_path):
    fill(tmp_path / "ev", 2)
    assert {f.what for f in verify(tmp_path / "ev", trusted=frozenset({"0" * 32}))[1]} >= {"added", "altered"}


def test_a_replay_forks_nothing(tmp_path):
    store, packed = fill(tmp_path / "ev", 6)
    chain = (tmp_path / "ev/chain/cam-0.ndjson").read_bytes()
    store.commit(reversed(packed))
    _, again = fill(tmp_path / "ev", 6)
    assert again == packed
    assert (tmp_path / "ev/chain/cam-0.ndjson").read_bytes() == chain
    (tmp_path / "ev/chain/cam-0.ndjson").write_bytes(chain + b'{"seq":3,"cam')  # killed while it wrote
    fill(tmp_path / "ev", 8)
    assert verify(tmp_path / "ev") == (8, [])


def test_retention_and_space_leave_tombstones(tmp_path):
    fill(tmp_path / "ev", 20, retention_days=10 / 86_400)
    assert verify(tmp_path / "ev") == (11, [])
    fill(tmp_path / "small", 20, max_bytes=5000)
    packages, findings = verify(tmp_path / "small")
    assert 0 < packages < 20
    assert findings == []
    assert b"tombstone" in (tmp_path / "small/chain/cam-0.ndjson").read_bytes()


def test_a_full_disk_leaves_no_half_package(tmp_path):
    fill(tmp_path / "ev", 3)
    code = f"""
import resource, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
from test_store import fill
resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))
try:
    fill(Path({str(tmp_path / "ev")!r}), 4, size=5000)
except OSError as e:
    print("refused", e.errno)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "refused 27\n"
    assert verify(tmp_path / "ev") == (3, [])
    assert not list((tmp_path / "ev").rglob(".*"))
