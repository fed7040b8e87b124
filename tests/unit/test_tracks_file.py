import json
import random

import numpy as np
import pytest

from smartstream.errors import InvalidInputError
from smartstream.ingest.lines import LineReader
from smartstream.ingest.tracks_file import TracksFile, first_instant
from smartstream.model.items import DeadLetter, Gap, Tracks
from smartstream.model.time import NS
from smartstream.model.tracks import TrackBatch
from smartstream.testing.feeds import read_all

T0 = 1_790_000_000


def row(at, track, run=0, cls="car", box=(0.1, 0.1, 0.2, 0.2), **more):
    return json.dumps({"time": at, "run": run, "track": track, "class": cls, "score": 0.9, "box": box} | more)


def open_file(path, resume=None):
    return TracksFile(side="cam", path=path, lateness_ns=2 * NS, resume=resume)


def rows(items):
    out = []
    for item in items:
        if isinstance(item, Tracks):
            batch = TrackBatch.from_bytes(item.batch)
            frames = np.repeat(batch.frame_ns, np.diff(batch.row_end, prepend=0))
            out += list(zip(frames.tolist(), batch.track.tolist(), strict=True))
            assert (item.first_ns, item.last_ns) == (batch.frame_ns[0], batch.frame_ns[-1])
    return out


def dead(items):
    return sorted((i.reason, i.place) for i in items if isinstance(i, DeadLetter))


def write(path, lines):
    path.write_text("\n".join(lines) + "\n")
    return path


def test_late_comers_find_their_frame_and_cuts_change_nothing(tmp_path):
    rng = random.Random(3)
    frames = [(T0 + i * 0.04, [row(T0 + i * 0.04, t) for t in range(rng.randrange(1, 6))]) for i in range(400)]
    flat = [(at, text) for at, texts in frames for text in texts]
    ordered = write(tmp_path / "a.ndjson", [text for _, text in flat])
    shuffled = write(tmp_path / "b.ndjson", [t for _, t in sorted(flat, key=lambda f: f[0] + rng.uniform(0, 1.5))])
    expected = rows(read_all(open_file(ordered)))
    assert len(expected) == len(flat)
    assert expected == sorted(expected)
    assert sorted(rows(read_all(open_file(shuffled)))) == expected
    feed, parts = open_file(shuffled), []
    while not feed.ended:
        parts += feed.read()
        feed = open_file(shuffled, feed.snapshot())
    assert rows(parts) == rows(read_all(open_file(shuffled)))


def test_every_bad_row_is_a_dead_letter_and_the_rest_stands(tmp_path):
    lines = [
        row(T0, 1),
        "garbage",
        row(T0, 2, cls="tank"),
        row(T0, 3, box=(0.2, 0.1, 0.1, 0.2)),
        row(T0, -1),
        row(T0 + 0.04, 1),
        row(T0 + 0.04, 1),
        row(T0 + 9, 1),
        row(T0 + 3, 1),
        row(4_000_000_000, 1),
        row(T0 + 9.04, 1),
    ]
    items = read_all(open_file(write(tmp_path / "t.ndjson", lines)))
    assert [(t - T0 * NS) // 1_000_000 for t, _ in rows(items)] == [0, 40, 9000, 9040]
    assert dead(items) == sorted(
        [
            ("broken_json", "line 2"),
            ("unknown_class", "line 3"),
            ("bad_box", "line 4"),
            ("bad_field", "line 5"),
            ("duplicate", "line 7"),
            ("late", "line 9"),
            ("absurd_time", "line 10"),
        ]
    )


@pytest.mark.parametrize("deep", ["[" * 60_000, '{"time": ' + "[" * 5000 + "]" * 5000 + "}", '{"a":' * 5000])
def test_brackets_without_end_are_a_dead_letter(deep, tmp_path):
    path = write(tmp_path / "t.ndjson", [deep, row(T0, 1), deep, row(T0 + 0.04, 1)])
    assert first_instant(path) == T0 * NS
    items = read_all(open_file(path))
    assert len(rows(items)) == 2
    assert [place for _, place in dead(items)] == ["line 1", "line 3"]


@pytest.mark.parametrize(
    ("field", "more"),
    [
        ("bad_box", {"box": (0, 0, 1e300, 1e300)}),
        ("bad_box", {"box": (-3e38, 0, 3e38, 1)}),
        ("bad_box", {"box": (0.1, 0.1, 0.1 + 1e-12, 0.2)}),
        ("bad_field", {"score": -5}),
        ("bad_field", {"score": 1e300}),
    ],
)
def test_an_outline_that_nobody_has_is_a_dead_letter(field, more, tmp_path):
    items = read_all(open_file(write(tmp_path / "t.ndjson", [row(T0, 1), json.dumps(json.loads(row(T0, 2)) | more)])))
    assert len(rows(items)) == 1
    assert dead(items) == [(field, "line 2")]


def test_a_byte_order_mark_costs_no_line(tmp_path):
    path = tmp_path / "t.ndjson"
    lines = [row(T0, 1), row(T0 + 0.04, 1), row(T0 + 0.08, 1)]
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode())
    assert first_instant(path) == T0 * NS
    items = read_all(open_file(path))
    assert len(rows(items)) == 3
    assert dead(items) == []
    reader = LineReader(path)
    reader.next_line()
    again = LineReader.resumed(path, reader.snapshot())
    assert again.next_line() == (2, lines[1].encode() + b"\r\n")


def test_a_new_run_breaks_the_session(tmp_path):
    lines = [row(T0, 1), row(T0 + 1, 1), row(T0 + 5, 1, run=1), row(T0 + 6, 1, run=1)]
    items = read_all(open_file(write(tmp_path / "t.ndjson", lines)))
    assert [(g.run, g.at_ns) for g in items if isinstance(g, Gap)] == [(0, (T0 + 5) * NS)]
    assert [TrackBatch.from_bytes(i.batch).run for i in items if isinstance(i, Tracks)] == [0, 0, 1, 1]


def test_a_file_without_a_single_row_is_refused(tmp_path):
    with pytest.raises(InvalidInputError, match="found none"):
        first_instant(write(tmp_path / "t.ndjson", ["nothing", "here"]))


def test_where_another_build_stopped_is_no_place_to_go_on_from(tmp_path):
    path = tmp_path / "cam.ndjson"
    path.write_bytes(b"")
    state = open_file(path).snapshot()
    del state["version"]
    with pytest.raises(InvalidInputError, match="tracks of cam state: expected version"):
        open_file(path, state)


def test_null_is_what_many_write_for_absent(tmp_path):
    said = [row(T0 + i * 0.1, 1, run=None, score=None, flags=None) for i in range(3)]
    items = read_all(open_file(write(tmp_path / "n.ndjson", said)))
    assert not dead(items)
    (batch,) = [TrackBatch.from_bytes(item.batch) for item in items if isinstance(item, Tracks)]
    assert (batch.run, batch.score.tolist(), batch.flags.tolist()) == (0, [1.0] * 3, [0] * 3)
