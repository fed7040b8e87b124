"""Video lent from process to process: whoever hangs up in the middle of a word takes it from nobody else."""

import socket

import numpy as np

from pipelines.rings import Rings


class OneStill:
    def still(self, at_ns):
        return {"time_ns": at_ns, "rgb": np.full((2, 3, 3), 7, np.uint8)}


def test_who_breaks_off_takes_the_video_from_nobody_else(tmp_path):
    lender, borrower = Rings({"cam": OneStill()}, tmp_path, 0, 2), Rings({}, tmp_path, 1, 2)
    try:
        with socket.socket(socket.AF_UNIX) as broken:
            broken.connect(str(tmp_path / "rings-0"))
            broken.sendall(b"\0\0\1\0half a word")
        still = borrower.get("cam").still(5)
        assert (still["time_ns"], still["rgb"].tolist()) == (5, np.full((2, 3, 3), 7).tolist())
        assert borrower.get("another") is None
    finally:
        lender.close()
        borrower.close()
