"""Cameras that lie about time, cannot be decoded or hang up: nothing is lost without a word, nobody held up."""

import hashlib
import shutil
import socket
import ssl
import subprocess
import threading
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from conftest import make_clip
from scripted_camera import STEP, ScriptedCamera

pytestmark = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs ffmpeg")

ONE_SLICE = ("-x264-params", "slices=1:scenecut=0", "-t", "8")


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    path = tmp_path_factory.mktemp("plain") / "a.h264"
    return make_clip(path, ("-c:v", "libx264", "-bf", "0", "-g", "25"), *ONE_SLICE)


@pytest.fixture
def camera(watch):
    cameras = []

    def start(clip, play, **live):
        cameras.append(ScriptedCamera(clip, play))
        return watch(cameras[-1].url, **live)

    yield start
    for one in cameras:
        one.close()


def times(watched):
    return np.concatenate([batch.frame_ns for batch in watched.batches()])


def test_the_first_picture_of_a_connection_has_its_own_time(plain, camera):
    def play(sender):
        for i, unit in enumerate(sender.pictures * 9):
            at = sender.wait_s(i / 25)
            if i == 0:
                sender.report(1_000_000, at)
            sender.picture(unit, 1_000_000 + STEP * i)

    watched = camera(plain, play)
    watched.until_frames(40)
    assert np.abs(np.diff(times(watched)) - 40_000_000).max() < 2_000_000
    assert not [item for item in watched.said() if item[0] in ("dead", "gap")]


def test_a_timestamp_that_begins_again_after_thirteen_hours_is_no_other_clock(plain, camera):
    def play(sender):
        begin = 2**32 - 50 * STEP
        for i, unit in enumerate(sender.pictures * 9):
            at = sender.wait_s(i / 25)
            if i in (0, 100):
                sender.report(begin + STEP * i, at)
            sender.picture(unit, begin + STEP * i)

    watched = camera(plain, play)
    watched.until_frames(120)
    assert {batch.clock.quality for batch in watched.batches()} == {"camera"}
    assert np.abs(np.diff(times(watched)) - 40_000_000).max() < 2_000_000
    assert watched.said() == []


def test_what_is_seen_at_a_guessed_time_is_doubtful(plain, camera):
    def play(sender):
        for i, unit in enumerate(sender.pictures * 9):
            sender.wait_s(i / 25)
            sender.picture(unit, STEP * i + (90_000 * 3600 if i == 60 else 0))

    watched = camera(plain, play)
    watched.until_frames(70)
    _, counts = watched.close()
    assert counts["frames_time_guessed"] == 1
    (batch,) = [batch for batch in watched.batches() if 60 in batch.frame_no]
    n = batch.frame_no.tolist().index(60)
    flags = batch.flags[batch.row_end[n - 1] if n else 0 : batch.row_end[n]]
    assert len(flags) > 0
    assert (flags & 1).all()


def test_a_clock_told_wrong_before_a_restart_is_told_right_after_it(plain, watch):
    callers = []

    def play(sender):
        callers.append(sender)
        for i, unit in enumerate(sender.pictures * 9):
            at = sender.wait_s(i / 25)
            if i % 25 == 0:
                sender.report(STEP * i, at + (3600 if len(callers) == 1 else 0))
            sender.picture(unit, STEP * i)

    camera = ScriptedCamera(plain, play)
    try:
        before = watch(camera.url)
        before.until_health("clock", "opened")
        position, _ = before.close()
        again = watch(camera.url, position)
        again.until_health("clock", "closed")
        again.close()
    finally:
        camera.close()


def test_a_clock_that_jumps_between_key_frames_goes_on_at_the_next_one(plain, camera):
    def play(sender):
        for i, unit in enumerate(sender.pictures * 9):
            sender.wait_s(i / 25)
            sender.picture(unit, STEP * i + (90_000 * 3600 if i >= 60 else 0))

    watched = camera(plain, play)
    watched.until(lambda items: any(item[0] == "gap" for item in items), "a gap")
    watched.until(lambda _: len({batch.run for batch in watched.batches()}) == 2, "the next run")
    told = [(item[2], item[6]) for item in watched.said() if item[0] == "dead"]
    assert told == [("before_key_frame", 75 - 64)], "five timestamps tell that the clock has jumped"
    assert [item[3] for item in watched.said() if item[0] == "gap"] == ["time_jump"]


def test_a_camera_whose_pictures_cannot_be_decoded_holds_nobody_up(plain, camera):
    def play(sender):
        for i, unit in enumerate(sender.pictures * 99):
            sender.wait_s(i / 25)
            # From the third second on nothing of a picture is left but the head of its slice.
            spoilt = [nal if nal[0] & 31 > 5 else nal[:8] + b"\xff" * 40 for nal in unit]
            sender.picture(unit if i < 50 else spoilt, STEP * i)

    watched = camera(plain, play)
    watched.until_frames(20)
    watched.until(lambda items: any(item[0] == "idle" for item in items), "idle")
    lost = {item[2] for item in watched.said() if item[0] == "dead"}
    assert lost & {"corrupt_frame", "undecodable_packet"}
    assert not watched.health("lost")


def test_what_a_camera_sent_before_it_hung_up_is_counted(plain, camera):
    callers = []

    def play(sender):
        callers.append(sender)
        for i in range(3 if len(callers) == 1 else 0):
            sender.picture(sender.pictures[i], STEP * i)

    watched = camera(plain, play)
    watched.until_health("lost", "opened")
    _, counts = watched.close()
    assert counts["packets_received"] == counts["frames_decoded"] >= 2, "libav may keep the last for itself"


def test_a_camera_that_goes_on_after_its_goodbye_leaves_no_thread_behind(watch, tmp_path):
    pem, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    make = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-keyout",
        pem,
        "-out",
        cert,
        "-subj",
        "/CN=camera",
    ]
    subprocess.run(make, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, pem)
    fingerprint = hashlib.sha256(ssl.PEM_cert_to_DER_cert(cert.read_text())).hexdigest()
    said = threading.Event()

    def answer(caller):
        coming, going = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(coming, going, server_side=True)
        for step in (tls.do_handshake, lambda: tls.read(65536)):
            while True:
                with suppress(ssl.SSLWantReadError):
                    step()
                    break
                caller.sendall(going.read())
                coming.write(caller.recv(65536))
        with suppress(ssl.SSLWantReadError):
            tls.unwrap()
        caller.sendall(going.read() + bytes(30_000))
        said.set()

    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept():
            with suppress(OSError):
                while True:
                    answer(server.accept()[0])

        threading.Thread(target=accept, daemon=True).start()
        watched = watch(f"rtsps://127.0.0.1:{server.getsockname()[1]}/video", tls_fingerprint=fingerprint)
        watched.until_health("lost", "opened")
        assert said.is_set()
    watched.close()
    watched.until(lambda _: not {"rtsps", "rtsps in"} & names_of_threads(), "the end of the tunnel")


def names_of_threads():
    return {path.read_text().strip() for path in Path("/proc/self/task").glob("*/comm")}
