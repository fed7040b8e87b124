"""Cameras that lie about lengths and never end: each takes a bounded part of the memory of all."""

import socket
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest

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


ATTACKS = {
    picture_of_gigabytes: "http",
    description_of_gigabytes: "rtsp",
    ten_thousand_media: "rtsp",
    picture_without_end: "rtsp",
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_camera_that_lies_takes_a_bounded_part_of_the_memory(attack):
    def answer(caller):
        with suppress(OSError), caller:
            attack(caller)

    def accept(server):
        with suppress(OSError):
            while True:
                threading.Thread(target=answer, args=(server.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=accept, args=(server,), daemon=True).start()
        url = f"{ATTACKS[attack]}://127.0.0.1:{server.getsockname()[1]}/video"
        done = subprocess.run([sys.executable, CAMERA, url], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < MOST_MB
