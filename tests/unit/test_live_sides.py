"""Live cameras, and files played as such: what is kept for the run after a restart, what is refused."""

import shutil
import subprocess

import pytest

from pipelines.sources import site_sides
from smartstream.config.site import load_site
from smartstream.errors import InvalidInputError


def site(folder, url, more=""):
    path = folder / "site.toml"
    path.write_text(
        '[site]\nid = "t"\nprovince = "19"\nward = "05482"\n\n'
        '[[junction]]\nid = "j1"\nname = "Ngã tư"\nposition = { lat = 21.6, lon = 105.8 }\n\n'
        f'[[camera]]\nid = "cam"\njunction = "j1"\nurl = "{url}"\n{more}'
    )
    return load_site(path)


def test_a_live_camera_keeps_what_its_street_looks_like_where_the_run_can_be_resumed(tmp_path):
    kept = tmp_path / "vision"
    site_sides(site(tmp_path, "rtsp://127.0.0.1:9/camera"), state_dir=kept)["cam"].open(None).close()
    assert (kept / "cam").is_dir()


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs ffmpeg")
def test_a_raw_stream_cannot_be_played_as_a_camera(tmp_path):
    source = ["-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25:duration=1"]
    subprocess.run(["ffmpeg", "-v", "error", *source, "-c:v", "libx264", tmp_path / "a.h264"], check=True)
    raw = site(tmp_path, "file:a.h264", 'start_time = 1790000000.0\nshed = "latest"\n')
    with pytest.raises(InvalidInputError, match=r"a\.h264: a raw stream says no times.*shed = 'block'"):
        site_sides(raw, speed=1.0)
    assert "cam" in site_sides(raw)
