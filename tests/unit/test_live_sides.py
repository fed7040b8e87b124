"""What a live camera keeps for the run after a restart."""

from pipelines.sources import site_sides
from smartstream.config.site import load_site


def test_a_live_camera_keeps_what_its_street_looks_like_where_the_run_can_be_resumed(tmp_path):
    path = tmp_path / "site.toml"
    path.write_text(
        '[site]\nid = "t"\nprovince = "19"\nward = "05482"\n\n'
        '[[junction]]\nid = "j1"\nname = "Ngã tư"\nposition = { lat = 21.6, lon = 105.8 }\n\n'
        '[[camera]]\nid = "cam"\njunction = "j1"\nurl = "rtsp://127.0.0.1:9/camera"\n'
    )
    kept = tmp_path / "vision"
    site_sides(load_site(path), state_dir=kept)["cam"].open(None).close()
    assert (kept / "cam").is_dir()
