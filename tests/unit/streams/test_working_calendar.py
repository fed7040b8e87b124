from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartstream.model.time import NS, parse_instant
from smartstream.streams.working_calendar import WorkingCalendar, is_working

CALENDAR = WorkingCalendar(ZoneInfo("Asia/Ho_Chi_Minh"))
HOUR = 3600 * NS


def instant(text):
    return parse_instant(f"{text}:00+07:00")


@pytest.mark.parametrize(
    ("start", "hours", "end"),
    [
        ("2026-09-21T08:00", 1, "2026-09-21T09:00"),
        ("2026-09-21T11:00", 1, "2026-09-21T14:00"),  # over lunch
        ("2026-09-21T16:00", 2, "2026-09-22T08:00"),  # over night
        ("2026-09-25T18:00", 8, "2026-09-28T17:30"),  # over the weekend
        ("2026-02-13T16:30", 4, "2026-02-23T10:30"),  # over Tet
        ("2026-08-28T16:30", 2, "2026-09-03T08:30"),  # over the National Day and the bridge before it
        ("2026-08-21T16:30", 2, "2026-08-22T08:30"),  # that Saturday is worked in exchange
    ],
)
def test_working_time_passes_on_working_days_only(start, hours, end):
    due = CALENDAR.add(instant(start), hours * HOUR)
    assert due == instant(end)
    assert CALENDAR.between(instant(start), due) == hours * HOUR


def test_a_day_has_eight_hours():
    whole = CALENDAR.between(instant("2026-09-21T00:00"), instant("2026-09-22T00:00"))
    assert whole == 8 * HOUR


def test_years_without_a_table_have_their_fixed_holidays():
    assert not is_working(date(2031, 9, 2))
    assert is_working(date(2031, 9, 3))


moments = st.datetimes(datetime(2024, 1, 1), datetime(2026, 12, 1)).map(
    lambda found: parse_instant(found.replace(microsecond=0).isoformat() + "+07:00")
)


@given(start=moments, minutes=st.integers(1, 6000), split=st.floats(0, 1))
def test_add_and_between_agree(start, minutes, split):
    span = minutes * 60 * NS
    due = CALENDAR.add(start, span)
    assert CALENDAR.between(start, due) == span
    middle = start + int((due - start) * split)
    assert CALENDAR.between(start, middle) + CALENDAR.between(middle, due) == span
