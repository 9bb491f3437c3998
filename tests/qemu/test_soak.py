"""One short life of `make soak`: random programs on two sticks that are pulled again and again."""

import zlib

import minix
import pytest
import soak


def test_a_life(tmp_path):
    done = soak.Life(3, tmp_path, seconds=15).run()
    assert done.pulls >= 5
    assert done.changes >= 20
    assert done.files >= 3


def test_the_judge_notices_what_differs(tmp_path):
    image = tmp_path / "stick.img"
    volume = minix.Volume.make(image, 512)
    volume.mkdir("/kept")
    volume.write("/kept/f0", b"acknowledged")
    soak.judge(image, {"f0": (zlib.crc32(b"acknowledged"), 12)})
    for wrong in ({"f0": (zlib.crc32(b"Acknowledged"), 12)}, {"f0": (zlib.crc32(b""), 0)},
                  {"f1": (zlib.crc32(b""), 0)}):
        with pytest.raises(soak.Wrong):
            soak.judge(image, wrong)
