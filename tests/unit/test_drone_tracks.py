"""Trajectories from above: who left the area of a light on red, and what that proves."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from smartstream.cli.controller import controller
from smartstream.errors import InvalidInputError
from smartstream.ingest.drone_tracks import read_drone_tracks

REAL = Path(__file__).parents[3] / "shared" / "data" / "trajectory" / "vtp_c_DJI_0590_0.txt"
FPS = 10


def rows(agent: int, *, leaves: int, change: int = 20, turn: tuple[int, int] = (0, 0), hole: int = 0) -> list[str]:
    """To the right of the picture at 5 px a frame, then ``turn`` as well; the light turns red at ``change``."""
    out, x, y = [], 0, 100
    for frame in range(60):
        x, y = (x + 5, y) if frame < leaves else (x + 5 + turn[0], y + turn[1])
        if not leaves <= frame < leaves + hole:
            inside, state = int(frame < leaves), int(frame >= change)
            out.append(f"{frame}.0\t{agent}.0\t{x}\t{y}\t2.0\t{inside}\t0.0\t{state}\t1.0")
    return out


def leavers(tmp_path: Path, *lines: str) -> list[tuple[int, str, str | None]]:
    path = tmp_path / "tracks.txt"
    path.write_text("\n".join(lines) + "\n")
    return [(one.agent, one.movement, one.undecided) for one in read_drone_tracks(path, fps=FPS).red]


def test_straight_on_and_to_the_left_on_red_are_candidates(tmp_path: Path) -> None:
    found = leavers(tmp_path, *rows(1, leaves=30), *rows(2, leaves=30, turn=(-5, -5)), *rows(3, leaves=10))
    assert found == [(1, "through", None), (2, "left", None)]


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"leaves": 30, "turn": (-5, 5)}, "a turn to the right on red may be allowed there"),
        ({"leaves": 20}, "on the frame of a change"),
        ({"leaves": 22}, "within the grace time"),
        ({"leaves": 30, "hole": 4}, "not seen when it left"),
        ({"leaves": 55}, "where it went was not seen"),
    ],
)
def test_what_proves_nothing_says_why(tmp_path: Path, more: dict[str, int], why: str) -> None:
    ((_, _, told),) = leavers(tmp_path, *rows(1, **more))
    assert told == why


def test_a_line_that_is_no_row_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="line 2: expected 9 numbers"):
        leavers(tmp_path, rows(1, leaves=30)[0], "0 1 2 3")
    with pytest.raises(InvalidInputError, match="found none"):
        leavers(tmp_path, "")


@pytest.mark.parametrize("number", ["nan", "inf", "-inf"])
@pytest.mark.parametrize("column", range(8))
def test_a_number_that_counts_nothing_is_named(tmp_path: Path, column: int, number: str) -> None:
    """An agent ``nan`` or a frame ``inf`` ended in a traceback; a place that is none made a turn to the right."""
    words = rows(1, leaves=30)[0].split()
    words[column] = number
    with pytest.raises(InvalidInputError, match="line 1: expected 9 numbers"):
        leavers(tmp_path, " ".join(words))


@pytest.mark.shared
@pytest.mark.skipif(not REAL.exists(), reason="needs the data folder beside the checkout")
def test_a_crossroads_in_zhengzhou() -> None:
    """Of 64 who leave, 8 do so on red: seven turn to the right, one is not seen to the end."""
    found = read_drone_tracks(REAL)
    assert (found.agents, found.by_state) == (85, {"green": 56, "red": 8})
    assert [one.movement for one in found.red].count("right") == 7
    assert all(one.undecided for one in found.red)
    told = CliRunner().invoke(controller, ["leavers", str(REAL)]).output
    assert told.count("undecided") == 8
