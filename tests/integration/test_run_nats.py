"""What a subscriber gets is the event file, id by id: own server, embedded server, across kills."""

import asyncio
import json
import random
import subprocess
import time

import nats
import pytest

from smartstream.brokers.nats_access import connect
from smartstream.errors import InvalidInputError
from smartstream.sinks.nats_server import EmbeddedServer, find_server
from smartstream.testing.running import command, run
from smartstream.testing.street import write_street

try:
    find_server()
except InvalidInputError as e:
    pytest.skip(str(e), allow_module_level=True)

SECONDS = 40.0


def by_id(lines):
    return sorted((json.loads(line)["id"], line) for line in lines)


def file_events(path):
    return by_id(path.read_text().splitlines())


async def stored(access):
    """Every message of both streams."""
    nc = await connect(access)
    js = nc.jetstream()
    out = []
    for stream in ("IOC_EVENTS", "IOC_DLQ"):
        info = await js.stream_info(stream)
        subscription = await js.subscribe("", stream=stream, ordered_consumer=True)
        for _ in range(info.state.messages):
            message = await subscription.next_msg(timeout=5)
            event = json.loads(message.data)
            assert message.headers["Nats-Msg-Id"] == event["id"]
            kind = event["type"].removeprefix("vn.ioc.").removesuffix(".v1")
            assert message.subject == f"ioc.19.05482.{kind}"
            out.append(message.data.decode())
    await nc.close()
    return out


class Listener:
    """A plain core subscriber on a thread-free event loop of its own process: notes every message it sees."""

    def __init__(self, access):
        self.access, self.seen = access, []

    async def __aenter__(self):
        self.nc = await nats.connect(self.access.url, user=self.access.user, password=self.access.password)

        async def note(message):
            self.seen.append(message.data.decode())

        await self.nc.subscribe("ioc.>", cb=note)
        await self.nc.flush()
        return self

    async def __aexit__(self, *_):
        await asyncio.sleep(0.3)
        await self.nc.close()


@pytest.mark.parametrize("processes", [1, 2])
def test_an_outside_server_gets_each_event_once_across_kills(tmp_path, monkeypatch, processes):
    site = write_street(tmp_path / "site", seconds=SECONDS, seed=9)
    with EmbeddedServer(tmp_path / "elsewhere") as server:
        access = server.access
        monkeypatch.setenv("SMARTSTREAM_NATS_USER", access.user)
        monkeypatch.setenv("SMARTSTREAM_NATS_PASSWORD", access.password)
        site.write_text(site.read_text().replace('url = "embedded"', f'url = "{access.url}"'))
        more = ("--events", tmp_path / "e", "--recovery", tmp_path / "r", "--processes", processes)

        async def story():
            async with Listener(access) as listener:
                rng = random.Random(processes)
                for _ in range(3):
                    child = await asyncio.create_subprocess_exec(
                        *command(site, *more, "--speed", "3x", nats=True), stderr=subprocess.DEVNULL
                    )
                    await asyncio.sleep(rng.uniform(2.0, 3.5))
                    if child.returncode is None:  # a quick machine may be through already
                        child.kill()
                    await child.wait()
                child = await asyncio.create_subprocess_exec(*command(site, *more, nats=True))
                assert await child.wait() == 0
            return listener.seen

        seen = asyncio.run(story())
        expected = file_events(tmp_path / "e")
        assert len(expected) > 20
        assert by_id(asyncio.run(stored(access))) == expected
        assert by_id(seen) == expected


def test_the_embedded_server_keeps_its_events_across_a_kill(tmp_path):
    site = write_street(tmp_path / "site", seconds=SECONDS, seed=11)
    more = ("--events", tmp_path / "e", "--recovery", tmp_path / "r")
    child = subprocess.Popen(command(site, *more, "--speed", "6x", nats=True), stderr=subprocess.DEVNULL)
    time.sleep(4)
    child.kill()
    child.wait()
    run(site, *more, nats=True)
    with EmbeddedServer(site.parent / "var/nats") as server:
        assert by_id(asyncio.run(stored(server.access))) == file_events(tmp_path / "e")
