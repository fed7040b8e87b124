"""Cameras that lie about lengths, never end or show nothing: each takes a bounded part of the memory of all."""

import json
import socket
import subprocess
import sys
import threading
import time
from base64 import b64encode
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from conftest import PATIENCE_S, make_clip

from smartstream import _core

CAMERA = Path(__file__).with_name("hostile_camera.py")
MOST_MB = 400  # a piece of 128 MB, what it grew from, and what is decoded of it
JUNK = bytes(1 << 20)
LIE = b"Content-Length: 2147483000\r\n\r\n"
DESCRIPTION = b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\n"
MEDIUM = b"m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:t%d\r\n"


def endless(caller, what):
    while True:
        caller.sendall(what)


def picture_of_gigabytes(caller):
    caller.recv(4096)
    caller.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n")
    caller.sendall(b"--frame\r\nContent-Type: image/jpeg\r\n" + LIE)
    endless(caller, JUNK)


def rtsp(caller, described, played):
    """Answer every request as a camera would, but these two."""
    while asked := caller.recv(65536):
        number = next(line for line in asked.split(b"\r\n") if line.lower().startswith(b"cseq"))
        answer = b"RTSP/1.0 200 OK\r\n" + number + b"\r\nPublic: DESCRIBE, SETUP, PLAY\r\nSession: 1\r\n"
        if asked.startswith(b"DESCRIBE"):
            described(caller, answer + b"Content-Type: application/sdp\r\n")
            continue
        caller.sendall(answer + b"Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n\r\n")
        if asked.startswith(b"PLAY"):
            played(caller)


def describe(*media):
    words = DESCRIPTION + b"".join(media)
    return lambda caller, answer: caller.sendall(answer + b"Content-Length: %d\r\n\r\n%s" % (len(words), words))


def description_of_gigabytes(caller):
    def described(caller, answer):
        caller.sendall(answer + LIE)
        endless(caller, JUNK)

    rtsp(caller, described, None)


def ten_thousand_media(caller):
    rtsp(caller, describe(*(MEDIUM % i for i in range(10_000))), lambda _: None)


def picture_without_end(caller):
    """Fragments (FU-A, RFC 6184) of one picture, whose last never comes."""

    def fragment(number, header, size):
        head = b"\x80\x60" + number.to_bytes(2) + bytes(7) + b"\x01"
        return b"$\x00" + (12 + 2 + size).to_bytes(2) + head + header + bytes(size)

    def played(caller):
        caller.sendall(fragment(0, b"\x7c\x85", 1400))
        number = 0
        while True:
            number = (number + 1) % 65536
            caller.sendall(fragment(number, b"\x7c\x05", 60_000))

    rtsp(caller, describe(MEDIUM % 0), played)


def pictures_without_a_key(clip):
    """Pictures that build on one which never came."""
    pieces = [nal.rstrip(b"\0") for nal in clip.read_bytes().split(b"\0\0\1")]
    by_type = {kind: [nal for nal in pieces if nal and nal[0] & 31 == kind] for kind in (1, 7, 8)}
    sets = b",".join(b64encode(by_type[kind][0]) for kind in (7, 8))
    medium = MEDIUM % 0 + b"a=fmtp:96 packetization-mode=1;sprop-parameter-sets=%s\r\n" % sets

    def played(caller):
        for number in range(100_000):
            head = b"\x80\xe0" + (number % 65536).to_bytes(2) + (3600 * number).to_bytes(4) + bytes(3) + b"\x01"
            nal = by_type[1][number % len(by_type[1])]
            caller.sendall(b"$\0" + (len(head) + len(nal)).to_bytes(2) + head + nal)
            time.sleep(0.04)

    return lambda caller: rtsp(caller, describe(medium), played)


ATTACKS = {
    picture_of_gigabytes: "http",
    description_of_gigabytes: "rtsp",
    ten_thousand_media: "rtsp",
    picture_without_end: "rtsp",
}


@contextmanager
def camera(attack):
    """Its port."""

    def answer(caller):
        with suppress(OSError), caller:
            attack(caller)

    def accept(server):
        with suppress(OSError):
            while True:
                threading.Thread(target=answer, args=(server.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=accept, args=(server,), daemon=True).start()
        yield server.getsockname()[1]


def test_a_camera_that_sends_no_key_frame_is_lost_and_what_it_sent_counted(tmp_path):
    clip = make_clip(
        tmp_path / "a.h264", ("-c:v", "libx264", "-bf", "0", "-g", "9999", "-t", "4", "-x264-params", "slices=1")
    )
    with camera(pictures_without_a_key(clip)) as port:
        live = {"url": f"rtsp://127.0.0.1:{port}/video", "connect_timeout_s": 4, "read_timeout_s": 0.5, "idle_s": 0.5}
        run = _core.CameraRun(json.dumps({"start_time_ns": 0, "camera": "c", "live": live}).encode(), None, None, None)
        told, begun = [], time.monotonic()
        while not any(item[:3] == ("health", "lost", "opened") for item in told):
            assert time.monotonic() - begun < PATIENCE_S
            told += run.poll(16)
            time.sleep(0.01)
        run.close()
    (lost,) = [item for item in told if item[:3] == ("health", "lost", "opened")]
    assert "no key frame for 12 s" in str(lost)
    assert any("before_key_frame" in str(item) for item in told)


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_camera_that_lies_takes_a_bounded_part_of_the_memory(attack):
    with camera(attack) as port:
        url = f"{ATTACKS[attack]}://127.0.0.1:{port}/video"
        done = subprocess.run([sys.executable, CAMERA, url], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < MOST_MB
