"""A run over several hosts, here all of them this one: the processes are started one by one and find each other."""

import os
import signal
import socket
import subprocess
import time

import pytest

from pipelines.hosts import Hosts
from smartstream.errors import InvalidInputError
from smartstream.testing.running import command, lines_of, run, written
from smartstream.testing.street import write_street


@pytest.fixture(scope="module")
def street(tmp_path_factory):
    folder = tmp_path_factory.mktemp("street")
    site = write_street(folder, seconds=40, seed=6)
    run(site, "--events", folder / "e", "--summary", folder / "s")
    return site, lines_of(folder / "e"), (folder / "s").read_text()


def hostfile(folder):
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    path = folder / "hosts"
    path.write_text("".join(f"127.0.0.1:{s.getsockname()[1]}\n" for s in held))
    for s in held:
        s.close()
    return path


def start(site, hosts, *more):
    return [
        subprocess.Popen(
            command(site, *more),
            env={**os.environ, "BYTEWAX_HOSTFILE_PATH": str(hosts), "BYTEWAX_PROCESS_ID": str(i)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for i in (1, 0)
    ]


def end(processes):
    said = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], said
    assert [out for out, _ in said] == ["", ""]


def test_two_hosts_tell_what_one_tells(street, tmp_path):
    site, events, summary = street
    end(start(site, hostfile(tmp_path), "--events", tmp_path / "e", "--summary", tmp_path / "s"))
    assert lines_of(tmp_path / "e") == events
    assert (tmp_path / "s").read_text() == summary


def test_killed_on_both_and_resumed(street, tmp_path):
    site, events, summary = street
    more = ("--events", tmp_path / "e", "--summary", tmp_path / "s", "--recovery", tmp_path / "r")
    killed = start(site, hostfile(tmp_path), *more, "--speed", "8x")
    deadline = time.monotonic() + 60
    while written(tmp_path / "e") < 20 and time.monotonic() < deadline:
        time.sleep(0.05)
    for process in killed:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    end(start(site, hostfile(tmp_path), *more))
    assert lines_of(tmp_path / "e") == events
    assert (tmp_path / "s").read_text() == summary


def test_who_is_left_alone_says_so(street, tmp_path):
    site, _, _ = street
    processes = start(site, hostfile(tmp_path), "--events", tmp_path / "e", "--speed", "1x")
    deadline = time.monotonic() + 60
    while not written(tmp_path / "e") and time.monotonic() < deadline:
        time.sleep(0.05)
    processes[0].kill()
    processes[0].communicate()
    _, said = processes[1].communicate(timeout=60)
    assert processes[1].returncode == 1
    assert "Traceback" not in said
    assert said.strip().splitlines()[-1].startswith("smartstream: ")


def test_several_hosts_share_no_embedded_broker(street, tmp_path):
    site, _, _ = street
    variables = {"BYTEWAX_ADDRESSES": "127.0.0.1:1;127.0.0.1:2", "BYTEWAX_PROCESS_ID": "0"}
    for more, place in (((), "nats.url"), (("--no-nats", "--processes", 2), "--processes")):
        words = command(site, *more, nats=True)
        done = subprocess.run(words, env={**os.environ, **variables}, capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert done.stderr.startswith(f"smartstream: {place}: ")


TWO = "a:1;b:2"


@pytest.mark.parametrize(
    "variables",
    [
        {"BYTEWAX_PROCESS_ID": "0"},
        {"BYTEWAX_ADDRESSES": TWO},
        {"BYTEWAX_ADDRESSES": TWO, "BYTEWAX_PROCESS_ID": "2"},
        {"BYTEWAX_ADDRESSES": TWO, "BYTEWAX_PROCESS_ID": "-1"},
        {"BYTEWAX_ADDRESSES": "a:1;b", "BYTEWAX_PROCESS_ID": "0"},
        {"BYTEWAX_ADDRESSES": "a:1;b:99999", "BYTEWAX_PROCESS_ID": "0"},
        {"BYTEWAX_HOSTFILE_PATH": "/nowhere", "BYTEWAX_PROCESS_ID": "0"},
    ],
)
def test_half_of_the_variables_is_refused(variables):
    with pytest.raises(InvalidInputError, match=r"expected|cannot be read"):
        Hosts.of(variables)


def test_a_pod_of_a_stateful_set_knows_its_number():
    pod = {"BYTEWAX_POD_NAME": "city-1", "BYTEWAX_STATEFULSET_NAME": "city", "BYTEWAX_ADDRESSES": TWO}
    assert Hosts.of(pod) == Hosts(1, ("a:1", "b:2"))
    assert Hosts.of({}) is None
