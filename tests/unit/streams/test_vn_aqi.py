"""VN_AQI against the worked examples of QĐ 1459/QĐ-TCMT, and against what its tables say at their corners."""

from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartstream.streams.air_text import LEVELS, level_of
from smartstream.streams.nowcast import nowcast
from smartstream.streams.vn_aqi import daily_index, half_up, highest_eight_hours, hourly_index, sub_index

EXAMPLE = "26.9 24.7 20.5 23.5 19.5 16.5 19.0 16.5 20.3 22.4 19.6 20.6"  # PM2.5, oldest first


def series(text, *, newest_first=True):
    hours = [None if word == "-" else Fraction(word) for word in text.split()]
    return hours[::-1] if newest_first else hours


def digits(value, places):
    exact = Decimal(value.numerator) / Decimal(value.denominator)
    return str(exact.quantize(Decimal(10) ** -places, rounding=ROUND_HALF_UP))


def test_the_decision_s_nowcast():
    hours = series(EXAMPLE)
    assert digits(min(hours) / max(hours), 3) == "0.613"
    assert digits(nowcast(hours), 2) == "20.27"
    assert half_up(sub_index("pm25", nowcast(hours))) == 41


def test_the_decision_s_hour():
    found = hourly_index({"pm25": series(EXAMPLE), "o3": [Fraction("136.1")], "no2": [Fraction("118.7")]})
    assert found.sub == {"pm25": 41, "o3": 43, "no2": 59}
    assert (found.aqi, found.dominant) == (59, "no2")


def test_the_decision_s_misprint():
    """It prints 60 for NO₂ at 118.7 µg/m³; its own formula gives 59.35."""
    assert sub_index("no2", Fraction("118.7")) == Fraction("59.35")
    assert half_up(sub_index("no2", Fraction("118.7"))) == 59


@pytest.mark.parametrize(
    ("what", "level", "exact", "index"),
    [
        ("o3_8h", "89.3", "44.65", 45),
        ("o3", "114.6", "35.8125", 36),
        ("no2", "130.8", "65.4", 65),
        ("pm25", "55.7", "109.5", 110),  # half up, not to even
        ("o3", "136.1", "42.53125", 43),
    ],
)
def test_the_decision_s_levels(what, level, exact, index):
    assert sub_index(what, Fraction(level)) == Fraction(exact)
    assert half_up(sub_index(what, Fraction(level))) == index


def test_the_decision_s_day():
    eight = [Fraction("89.3")] * 8 + [Fraction("60")] * 16
    eight[0], eight[1] = Fraction("64.0"), Fraction("114.6")  # highest hour; the mean of eight hours stays 89.3
    found = daily_index({"pm25": [Fraction("55.7")] * 24, "no2": [Fraction("130.8")] + [None] * 23, "o3": eight})
    assert found.levels["o3_8h"] == Fraction("89.3")
    assert found.levels["o3"] == Fraction("114.6")
    assert found.sub == {"pm25": 110, "o3": 45, "no2": 65}
    assert (found.aqi, found.dominant) == (110, "pm25")


def test_ozone_above_the_eight_hour_table_counts_by_its_highest_hour_alone():
    hours = [Fraction(410)] * 24
    found = daily_index({"pm25": [Fraction(10)] * 24, "o3": hours})
    assert found.sub["o3"] == half_up(sub_index("o3", Fraction(410))) == 203
    assert sub_index("o3_8h", Fraction(400)) == 300
    assert sub_index("o3_8h", Fraction("400.1")) is None


def test_no_dust_no_index():
    assert hourly_index({"o3": [Fraction(100)], "pm25": series("- - -")}) is None
    assert daily_index({"no2": [Fraction(100)] * 24, "pm25": [Fraction(10)] * 17 + [None] * 7}) is None
    assert hourly_index({"pm10": series("20 30")}).dominant == "pm10"


def test_nowcast_needs_two_of_the_last_three_hours():
    assert nowcast(series("10 10 10 10 - - 10")) is None
    assert nowcast(series("10 - 10 10 -")) == Fraction(10)
    assert nowcast(series("10")) is None
    assert nowcast([]) is None
    assert nowcast(series("0 0 0")) == 0


def test_the_literal_half_weight_is_low_with_gaps_and_the_normalised_is_not():
    full = series("5 10 20 40 80 100 100 100 100 100 100 100")
    expected = sum(Fraction(1, 2) ** (i + 1) * c for i, c in enumerate(full))
    assert nowcast(full) == expected
    gaps = series("100 100 10 - 100 100")  # c3 is missing
    assert nowcast(gaps) == sum(Fraction(1, 2) ** (i + 1) * c for i, c in enumerate(gaps) if c is not None)
    assert nowcast(gaps, "normalised") > nowcast(gaps)
    assert nowcast(series("100 100 50"), "literal") == 25 + 25 + Fraction(100, 8)  # exactly one half is the half form


def test_corners_are_shared_and_the_top_is_clamped_and_named():
    assert [half_up(sub_index("pm25", Fraction(c))) for c in (0, 25, 50, 80, 150, 250, 350, 500, 9999)] == [
        0, 50, 100, 150, 200, 300, 400, 500, 500,
    ]  # fmt: skip
    found = hourly_index({"pm25": series("600 600 600"), "so2": [Fraction(2630)]})
    assert (found.aqi, found.above_scale) == (500, ("pm25",))


def test_eight_hours_need_six():
    assert highest_eight_hours([Fraction(10)] * 5 + [None] * 3) is None
    assert highest_eight_hours([Fraction(10)] * 6 + [None] * 2) == 10
    assert highest_eight_hours([Fraction(10)] * 7) is None


def test_levels_cover_the_scale():
    assert [level_of(aqi).name for aqi in (0, 50, 51, 100, 101, 150, 151, 200, 201, 300, 301, 500)] == [
        "Tốt", "Tốt", "Trung bình", "Trung bình", "Kém", "Kém", "Xấu", "Xấu", "Rất xấu", "Rất xấu", "Nguy hại",
        "Nguy hại",
    ]  # fmt: skip
    assert [tuple(bytes.fromhex(level.colour[1:])) for level in LEVELS] == [
        (0, 228, 0), (255, 255, 0), (255, 126, 0), (255, 0, 0), (143, 63, 151), (126, 0, 35),
    ]  # fmt: skip


levels = st.fractions(min_value=0, max_value=1500, max_denominator=1000)


@given(a=levels, b=levels, what=st.sampled_from(["pm25", "pm10", "no2", "so2", "co", "o3"]))
def test_more_is_never_better(a, b, what):
    low, high = sorted((a, b))
    assert sub_index(what, low) <= sub_index(what, high) <= 500


@given(st.lists(st.none() | levels, min_size=12, max_size=12))
def test_the_normalised_nowcast_lies_between_its_hours(hours):
    found = nowcast(hours, "normalised")
    there = [c for c in hours if c is not None]
    if found is None:
        assert sum(c is not None for c in hours[:3]) < 2
    else:
        assert min(there) <= found <= max(there)
        assert nowcast(hours) <= found


@given(st.fractions(min_value=0, max_value=500, max_denominator=10_000))
def test_half_up(value):
    expected = Decimal(value.numerator) / Decimal(value.denominator)
    if value.denominator in (1, 2, 4, 5, 8, 10):  # exact in decimal
        assert half_up(value) == int(expected.quantize(Decimal(1), rounding=ROUND_HALF_UP))
    assert abs(half_up(value) - value) <= Fraction(1, 2)
