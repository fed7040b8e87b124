from smartstream.ingest.board import ALIGN_NS, Board
from smartstream.model.time import MAX_NS, MIN_NS


def board(tmp_path, sides=("signals", "a", "b"), cameras=("a", "b"), speed=None):
    return Board(tmp_path / "board", sides, frozenset(cameras), speed=speed, create=True)


def test_nobody_runs_ahead_of_the_slowest_camera(tmp_path):
    shared = board(tmp_path)
    shared.begin("a", 1000)
    assert shared.allowed_ns("a") == MIN_NS, "b is not open yet"
    shared.begin("b", 5000)
    assert shared.allowed_ns("b") == shared.allowed_ns("signals") == 1000 + ALIGN_NS
    shared.advance("a", 9000, 1)
    assert shared.allowed_ns("a") == 5000 + ALIGN_NS
    shared.finish("b")
    assert shared.allowed_ns("signals") == 9000 + ALIGN_NS
    shared.finish("a")
    assert shared.allowed_ns("signals") == MAX_NS


def test_a_camera_whose_first_turn_brings_no_frame_blocks_nobody(tmp_path):
    shared = board(tmp_path)
    shared.begin("a", 1000)
    shared.begin("b", 1000)
    shared.advance("a", MIN_NS, 0)  # dense tracks: a whole turn within the allowed lateness
    assert shared.allowed_ns("a") == 1000 + ALIGN_NS


def test_processes_see_one_board(tmp_path):
    mine = board(tmp_path)
    theirs = Board(tmp_path / "board", ("signals", "a", "b"), frozenset({"a", "b"}), speed=None, create=False)
    mine.begin("a", 1)
    theirs.begin("b", 2)
    theirs.finish("signals")
    mine.finish("a")
    assert not theirs.all_ended()
    theirs.finish("b")
    assert mine.all_ended()
    assert [row[0] for row in mine.progress()] == ["signals", "a", "b"]
