"""Polling a real PostgreSQL: equal watermarks, slow transactions, a killed run, a killed server; SQLite as well."""

import json
import random
import sqlite3
import time
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from live_city import events, start, stop

from smartstream.errors import InvalidInputError
from smartstream.ingest.lines import Trouble
from smartstream.testing.running import wait_until
from smartstream.testing.servers import Postgres

pytest.importorskip("sqlalchemy", reason="the extra sql is not installed")

from smartstream.ingest.sql_lines import Polling, SqlLines

T0 = 1_790_000_000
BEGIN = datetime(2026, 9, 20, 17, tzinfo=UTC)


def polling(url, **more):
    said = {"user": None, "password": None, "table": "readings", "watermark": "at", "key": "id", "every_s": 0.05}
    zone = {"columns": {"time": "at", "sensor": "name"}, "overlap_s": 3600.0, "timezone": ZoneInfo("Asia/Ho_Chi_Minh")}
    return Polling(url=url, **{**said, **zone, **more})


def take(lines, count, limit_s=30):
    got, deadline = [], time.monotonic() + limit_s
    while len(got) < count:
        found = lines.next_line()
        if isinstance(found, tuple):
            got.append(json.loads(found[1])["id"])
        elif found is None:
            assert time.monotonic() < deadline, (len(got), count)
            time.sleep(0.01)
    return got


def nothing_more(lines, polls=6):
    time.sleep(0.05 * polls)
    return not any(isinstance(lines.next_line(), tuple) for _ in range(5000))


@pytest.fixture(scope="module")
def postgres(tmp_path_factory):
    if not Postgres.installed():
        pytest.skip("no PostgreSQL: apt-get install postgresql")
    psycopg = pytest.importorskip("psycopg")
    with Postgres(tmp_path_factory.mktemp("postgres")) as server:
        server.connect = lambda: psycopg.connect(f"host=127.0.0.1 port={server.port} user=tester dbname=postgres")
        server.url = f"postgresql://127.0.0.1:{server.port}/postgres"
        yield server


@pytest.fixture
def table(postgres):
    with postgres.connect() as db:
        db.execute("drop table if exists readings")
        db.execute(
            "create table readings (id serial primary key, at timestamptz, name text, station text, kind text,"
            " value numeric, unit text)"
        )
    return postgres


def insert(db, rows):
    columns = "(at, name, station, kind, value, unit)"
    statement = f"insert into readings {columns} values (%s, 'a-pm25', 'a', 'pm25', %s, 'µg/m³')"
    for at, value in rows:
        db.execute(statement, (at, value))


def test_equal_watermarks_and_slow_transactions_lose_and_double_nothing(table):
    rng = random.Random(1)
    lines = SqlLines(polling(table.url, user="tester"), {}, idle_after_s=60)
    with table.connect() as slow, table.connect() as quick:
        insert(quick, [(BEGIN, i) for i in range(1500)])  # more than a page of one watermark
        quick.commit()
        assert sorted(take(lines, 1500)) == list(range(1, 1501))
        insert(slow, [(BEGIN + timedelta(minutes=1), 1), (BEGIN, 2)])  # not committed yet, lower ids than what follows
        insert(quick, [(BEGIN + timedelta(minutes=rng.randrange(30)), i) for i in range(200)])
        quick.commit()
        assert sorted(take(lines, 200)) == list(range(1503, 1703))
        state = lines.snapshot()
        lines.close()
        slow.commit()
        lines = SqlLines(polling(table.url, user="tester"), state, idle_after_s=60)
        assert sorted(take(lines, 2)) == [1501, 1502]
        quick.execute("update readings set at = %s where id = 7", (BEGIN + timedelta(hours=1),))
        quick.commit()
        assert take(lines, 1) == [7]
        assert nothing_more(lines)
    lines.close()


def test_a_killed_server_is_told_and_found_again(table):
    with table.connect() as db:
        insert(db, [(BEGIN, 1)])
    lines = SqlLines(polling(table.url, user="tester"), {}, idle_after_s=60)
    take(lines, 1)
    table.kill()
    wait_until(lambda: lines.next_line() is not None)
    (table.data / "postmaster.pid").unlink(missing_ok=True)
    table.start()
    found = []
    wait_until(lambda: found.append(lines.next_line()) or found[-1] == Trouble("closed", ""))
    with table.connect() as db:
        insert(db, [(BEGIN, 2)])
    assert len(take(lines, 1)) == 1
    lines.close()


def test_a_site_reads_its_database_over_a_kill(table, tmp_path, monkeypatch):
    monkeypatch.setenv("SMARTSTREAM_SQL_USER", "tester")
    (tmp_path / "site.toml").write_text(
        f"""
[site]
id = "db"
province = "19"
[[sensor_feed]]
url = "sql:{table.url}"
[sensor_feed.sql]
table = "public.readings"
watermark = "at"
columns = {{ time = "at", sensor = "name" }}
every_s = 0.1
"""
    )
    out = tmp_path / "events"
    more = ("--no-nats", "--events", out, "--recovery", tmp_path / "recovery")
    run = start(tmp_path / "site.toml", *more)

    def hours():
        return [e["data"] for e in events(out) if "pm25.updated" in e["type"] and e["data"]["period"] == "hour"]

    for part in range(3):
        with table.connect() as db:
            insert(db, [(BEGIN + timedelta(hours=2 * part, minutes=5 * i), 30 + i) for i in range(24)])
        wait_until(lambda part=part: len(hours()) >= 2 * part + 1, process=run)
        if part < 2:
            run.kill()
            run.wait()
            run = start(tmp_path / "site.toml", *more)
    stop(run)
    assert [(hour["readings"], hour["revision"]) for hour in hours()] == [(12, 0)] * 5


def test_sqlite_and_naive_times(tmp_path):
    with sqlite3.connect(tmp_path / "db") as db:
        db.execute("create table readings (id integer primary key, at integer, name text)")
        db.executemany("insert into readings (at, name) values (?, 's')", [(5,), (5,), (None,), (9,)])
    url = f"sqlite:///{tmp_path}/db"
    lines = SqlLines(polling(url, overlap_s=1.0), {}, idle_after_s=60)
    assert take(lines, 3) == [1, 2, 4]
    lines.close()


@pytest.mark.parametrize(
    "odd",
    [
        (2, "soon", "text where numbers were"),
        (2, float("inf"), "no end"),
        (2, T0 + 1, b"\xff\x00 no UTF-8"),
        (2, T0 + 1, float("-inf")),
        (b"\xff", T0 + 1, "a key of bytes"),
    ],
)
def test_an_odd_row_is_a_line_and_the_rows_after_it_are_read(tmp_path, odd):
    """Any of these ended the polling thread, or put its position beyond every later row, without a word."""
    with sqlite3.connect(tmp_path / "db") as db:
        db.execute("create table readings (id, at, name)")
        db.execute("insert into readings values (1, ?, 's')", (T0,))
        db.commit()
        lines = SqlLines(polling(f"sqlite:///{tmp_path}/db"), {}, idle_after_s=60)
        assert take(lines, 1) == [1]
        key, at, name = odd
        text = "cast(? as text)" if isinstance(name, bytes) else "?"
        db.execute(f"insert into readings values (?, ?, {text})", (key, at, name))
        db.commit()
        assert len(take(lines, 1)) == 1
        state = lines.snapshot()
        for i in range(3, 6):
            db.execute("insert into readings values (?, ?, 's')", (i, T0 + i))
            db.commit()
            assert take(lines, 1) == [i]
        lines.close()
        lines = SqlLines(polling(f"sqlite:///{tmp_path}/db"), state, idle_after_s=60)
        assert take(lines, 3) == [3, 4, 5]
        assert nothing_more(lines)
        lines.close()


def test_a_time_of_tomorrow_does_not_end_a_table(table):
    lines = SqlLines(polling(table.url, user="tester"), {}, idle_after_s=60)
    with table.connect() as db:
        insert(db, [(BEGIN, 1), (BEGIN.replace(year=2199), 2)])
        insert(db, [(BEGIN, "NaN")])
        db.commit()
        assert sorted(take(lines, 3)) == [1, 2, 3]
        insert(db, [(BEGIN + timedelta(minutes=1), 3)])
        db.commit()
        assert take(lines, 1) == [4]
        assert nothing_more(lines)
    lines.close()


@pytest.mark.parametrize("url", ["nonsense://x/y", "sqlite:////nowhere/db", "postgresql://127.0.0.1:1/x"])
def test_a_database_that_cannot_be_asked_is_refused(url):
    with pytest.raises(InvalidInputError) as e:
        SqlLines(polling(url), {}, idle_after_s=60)
    assert "\n" not in str(e.value)
