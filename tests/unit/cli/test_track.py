"""``smartstream track``: MOT Challenge files in and out, one clear message for a bad one."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from smartstream.cli.track import track
from smartstream.errors import InvalidInputError

LINE = "{frame},-1,{left},20,40,30,0.9,-1,-1,-1\n"


def run(tmp_path, text, *options):
    source, target = tmp_path / "det.txt", tmp_path / "result.txt"
    source.write_bytes(text if isinstance(text, bytes) else text.encode())
    result = CliRunner().invoke(track, [str(source), "--output", str(target), *options], standalone_mode=False)
    if result.exception:
        raise result.exception
    return [line.split(",") for line in target.read_text().splitlines()], result.stderr


def test_a_vehicle_keeps_its_identity_and_box(tmp_path):
    text = "".join(LINE.format(frame=f, left=10 + 3 * f) for f in range(1, 6))
    rows, log = run(tmp_path, text)
    assert [row[:6] for row in rows] == [
        [str(f), "1", f"{10 + 3 * f}.00", "20.00", "40.00", "30.00"] for f in range(1, 6)
    ]
    assert "5 detections" in log
    assert "1 tracks, 5 boxes" in log


def test_frames_in_any_order_give_the_same_result(tmp_path):
    lines = [LINE.format(frame=f, left=10 + 3 * f) for f in range(1, 6)]
    assert run(tmp_path, "".join(lines[::-1]))[0] == run(tmp_path, "".join(lines))[0]


@pytest.mark.parametrize("text", ["", "\n\n  \n"])
def test_an_empty_file_gives_an_empty_result(tmp_path, text):
    assert run(tmp_path, text)[0] == []


def test_boxes_of_no_size_are_counted(tmp_path):
    rows, log = run(
        tmp_path, LINE.format(frame=1, left=0) + "1,-1,5,5,0,10,0.9\n1,-1,nan,5,10,10,0.9\n1,-1,5,5,-3,10,0.9\n"
    )
    assert len(rows) == 1
    assert "4 detections (3 unusable" in log


def test_a_byte_order_mark_and_windows_line_ends(tmp_path):
    assert len(run(tmp_path, b"\xef\xbb\xbf" + LINE.format(frame=1, left=0).replace("\n", "\r\n").encode())[0]) == 1


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("1,-1,5,5", "det.txt:2: found 4 fields"),
        ("1,-1,a,5,10,10,0.9", "det.txt:2: found '1,-1,a,5,10,10,0.9', expected frame"),
        ("1.5,-1,5,5,10,10,0.9", "det.txt:2: found frame '1.5'"),
        ("-1,-1,5,5,10,10,0.9", "det.txt:2: found frame '-1'"),
        ("nan,-1,5,5,10,10,0.9", "det.txt:2: found frame 'nan'"),
        ("1e300,-1,5,5,10,10,0.9", "det.txt:2: found frame '1e300'"),
        ("1,-1,5,5,10,10,63.2", "det.txt:2: found score 63.2, expected 0 to 1 .*--ignore-scores"),
        ("1,-1,5,5,10,10,nan", "det.txt:2: found score nan"),
    ],
)
def test_a_malformed_line_is_named(tmp_path, line, says):
    with pytest.raises(InvalidInputError, match=says):
        run(tmp_path, LINE.format(frame=1, left=0) + line + "\n")


def test_scores_can_be_ignored_and_minus_one_means_none(tmp_path):
    assert len(run(tmp_path, "1,-1,5,5,10,10,63.2\n", "--ignore-scores")[0]) == 1
    assert len(run(tmp_path, "1,-1,5,5,10,10,-1,-1,-1,-1\n1,-1,95,5,10,10\n")[0]) == 2


def test_files_that_cannot_be_used_are_named(tmp_path):
    with pytest.raises(InvalidInputError, match=r"missing\.txt: No such file"):
        CliRunner().invoke(
            track, [str(tmp_path / "missing.txt"), "--output", "x"], standalone_mode=False, catch_exceptions=False
        )
    with pytest.raises(InvalidInputError, match="not a text file"):
        run(tmp_path, b"\xff\xfe\x00\x01")
    with pytest.raises(InvalidInputError, match="No such file"):
        run(tmp_path, "", "--output", str(tmp_path / "no" / "folder.txt"))


def test_the_frame_rate_sets_the_memory(tmp_path):
    text = LINE.format(frame=1, left=0) + LINE.format(frame=21, left=0)
    assert {row[1] for row in run(tmp_path, text, "--fps", "10")[0]} == {"1", "2"}
    assert {row[1] for row in run(tmp_path, text, "--fps", "25")[0]} == {"1"}
