"""Reports over HTTP through a whole run: real exports of other cities, repeats, refusals, kills."""

import csv
import json
import socket
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import pytest
from live_city import events, start, stop

from smartstream.errors import InvalidInputError
from smartstream.sinks.nats_server import find_server
from smartstream.testing.running import wait_until

pytest.importorskip("aiohttp", reason="the extra intake is not installed")
try:
    find_server()
except InvalidInputError as e:
    pytest.skip(str(e), allow_module_level=True)

CITIZEN = Path(__file__).parents[3].parent / "shared/data/citizen"
SITE = """
[site]
id = "town"
province = "19"
[[report_feed]]
url = "http://127.0.0.1:{port}/open311/"
per_client_per_min = {per_client}
allowed_lateness_s = 1
idle_after_s = 0.5
"""


class Town:
    """A run with an intake, and a client of it."""

    def __init__(self, folder, per_client=100_000):
        with socket.create_server(("127.0.0.1", 0)) as held:
            port = held.getsockname()[1]
        self.folder, self.base = folder, f"http://127.0.0.1:{port}/open311"
        self.site = folder / "site.toml"
        self.site.write_text(SITE.format(port=port, per_client=per_client))
        self.out = folder / "events"
        self.start()

    def start(self):
        self.run = start(self.site, "--events", self.out, "--recovery", self.folder / "recovery")
        wait_until(lambda: self.ask("GET", "/services.json")[0] == 200, process=self.run)

    def ask(self, method, path, form=None, headers=None, body=None):
        data = body if body is not None else None if form is None else urllib.parse.urlencode(form).encode()
        request = urllib.request.Request(self.base + path, data, headers or {}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as e:
            return e.code, json.loads(e.read())
        except (urllib.error.URLError, OSError):
            return 0, None

    def send(self, form, key=None):
        return self.ask("POST", "/requests.json", form, {"Idempotency-Key": key} if key else None)

    def received(self):
        return [e["data"] for e in events(self.out) if ".report.received." in e["type"]]


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    town = Town(tmp_path_factory.mktemp("town"))
    yield town
    stop(town.run)


def report(**more):
    return {"service_code": "flood", "description": "Đường ngập sâu", "lat": "21.6", "long": "105.84", **more}


def test_a_report_is_taken_once_and_can_be_asked_for(town):
    status, [answer] = town.send(report(phone="0912345678", description="Ngập, gọi 0912345678"), "a-1")
    name = answer["service_request_id"]
    assert (status, town.send(report(phone="0912345678", description="Ngập, gọi 0912345678"), "a-1")) == (
        201,
        (200, [answer]),
    )
    assert town.send(report(description="Khác hẳn"), "a-1")[0] == 409
    status, [found] = town.ask("GET", f"/requests/{name}.json")
    assert (status, found["status"], found["lat"], found["long"]) == (200, "open", 21.6, 105.84)
    assert "0912345678" not in json.dumps(found)
    wait_until(lambda: any(data["report"] == name for data in town.received()), process=town.run)
    assert town.ask("GET", f"/requests.json?service_request_id={name},h-none")[1] == [found]
    log = b"".join(path.read_bytes() for path in (town.folder / "var/nats").rglob("*.blk"))
    assert b'"phone"' not in log  # who reported is a pseudonym from the first byte on


def test_without_a_key_content_and_sender_decide(town):
    first = town.send(report(description="Không có mã"))
    assert first[0] == 201
    assert town.send(report(description="Không có mã")) == (200, first[1])
    assert town.send(report(description="Không có mã.", device_id="b"))[0] == 201


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"lat": "21"}, 400),
        ({}, 400),
        (report(lat="north"), 400),
        (report(lat="91"), 400),
        (report(lat="nan"), 400),
        (report(media_url="javascript:alert(1)"), 400),
        (report(description="x" * 4001), 400),
        (report(description="x" * 40_000), 413),
    ],
)
def test_what_is_wrong_is_said_in_open311s_form(town, form, status):
    found, body = town.send(form)
    assert found == status
    [error] = body
    assert error["code"] == status
    assert error["description"]


def test_bytes_that_are_not_what_they_say_are_refused_in_form(town):
    def part(*head):
        return b"\r\n".join((b"--b", *head, b"", b"hi", b"--b--", b""))

    form, named = "multipart/form-data; boundary=b", b'Content-Disposition: form-data; name="description"'
    for kind, body, more in (
        ("application/json", b"no gzip", {"Content-Encoding": "gzip"}),
        ("application/json", b"no deflate", {"Content-Encoding": "deflate"}),
        ("application/json", b'{"service_code": "f", "long": 1, "lat": ' + b"9" * 400 + b"}", {}),
        (form, part(named, b"Content-Transfer-Encoding: zzz"), {}),
        (form, part(b"Content-Disp\xff"), {}),
    ):
        status, body = town.ask("POST", "/requests.json", headers={"Content-Type": kind, **more}, body=body)
        assert (status, body[0]["code"]) == (400, 400)
    key = {"Content-Type": "application/json", "Idempotency-Key": b"\xff\xfe".decode("latin-1")}
    answers = [town.ask("POST", "/requests.json", headers=key, body=b'{"description": "odd key"}') for _ in range(2)]
    assert [status for status, _ in answers] == [201, 200]


def test_other_bodies_and_places(town):
    json_type = {"Content-Type": "application/json"}
    assert town.ask("POST", "/requests.json", headers=json_type, body=b'{"description": "a json body"}')[0] == 201
    assert town.ask("POST", "/requests.json", headers=json_type, body=b"[1]")[0] == 400
    assert town.ask("POST", "/requests.json", headers=json_type, body=b"{")[0] == 400
    assert town.ask("POST", "/requests.json", headers=json_type, body=b'{"description": "\\ud800"}')[0] in (201, 400)
    assert town.ask("POST", "/requests.json", headers={"Content-Type": "text/xml"}, body=b"<a/>")[0] == 415
    assert town.ask("PUT", "/requests.json", body=b"")[0] == 405
    assert town.ask("GET", "/requests/h-0.json") == (404, [{"code": 404, "description": "Không có phản ánh này."}])
    assert town.ask("GET", "/requests/%2A.json")[0] == 404
    assert town.ask("GET", "/requests.json")[0] == 400
    assert town.ask("GET", "/other")[0] == 404
    codes = [service["service_code"] for service in town.ask("GET", "/services.json")[1]]
    assert "flood" in codes
    assert town.ask("GET", "/services/flood.json")[0] == 200


@pytest.mark.shared
@pytest.mark.skipif(not CITIZEN.exists(), reason=f"no {CITIZEN}")
def test_real_exports_through_the_intake_over_a_kill(tmp_path):
    with (CITIZEN / "nyc_311.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    forms = {
        f"nyc-{row['unique_key']}": {
            "service_code": row["complaint_type"],
            "description": "\n".join(filter(None, (row["descriptor"], row["location"]))),
            "address_string": row["incident_address"],
            "lat": row["latitude"],
            "long": row["longitude"],
        }
        for row in rows
    }
    for request in json.loads((CITIZEN / "chicago_open311.json").read_text()):
        fields = {name: request.get(name) or "" for name in ("service_code", "service_name", "lat", "long")}
        forms[f"chi-{request['service_request_id']}"] = {
            **fields,
            "description": request.get("description") or request.get("service_name") or "",
            "address_string": request.get("address") or "",
        }
    assert any(not form["lat"] for form in forms.values())
    town = Town(tmp_path)
    names = {}
    for i, (key, form) in enumerate(forms.items()):
        if i == len(forms) // 2:
            town.run.kill()
            town.run.wait()
            town.start()
        status, body = town.send(form, key)
        assert status == 201, body
        names[key] = body[0]["service_request_id"]
    for key in list(forms)[::7]:  # sent again, as an application does that got no answer
        assert town.send(forms[key], key) == (
            200,
            [{"service_request_id": names[key], "service_notice": "Đã tiếp nhận phản ánh.", "account_id": None}],
        )
    assert len(set(names.values())) == len(forms) > 600
    wait_until(lambda: {data["report"] for data in town.received()} == set(names.values()), process=town.run)
    stop(town.run)
    told = town.received()
    assert len(told) == len(forms)
    assert any(".report.cluster.opened." in e["type"] for e in events(town.out))


def test_one_client_is_held_back(tmp_path):
    town = Town(tmp_path, per_client=3)
    statuses = [town.send(report(), f"k-{i}")[0] for i in range(3)]
    while statuses[-1] == 201 and len(statuses) < 20:  # each third of a minute that they take, one more is let in
        statuses.append(town.send(report(), f"k-{len(statuses)}")[0])
    stop(town.run)
    assert statuses == [201] * (len(statuses) - 1) + [429]
    assert len(statuses) > 3


def test_nothing_is_lost_under_load_while_engine_and_broker_are_killed(tmp_path):
    command = [sys.executable, "-m", "smartstream", "bench", "intake", "--rate", "60", "--seconds", "5"]
    done = subprocess.run(
        [*command, "--json", tmp_path / "r.json"], capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "r.json").read_text())["ways"]["smartstream"]
    assert found["sent"] == found["answered"] >= 300
    assert "engine" in found["windows_s"]
    assert "broker" in found["windows_s"]


def test_a_taken_address_is_refused(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as held:
        (tmp_path / "site.toml").write_text(SITE.format(port=held.getsockname()[1], per_client=9))
        assert start(tmp_path / "site.toml").wait(60) == 2
