"""One short life of `make soak`: random programs on two sticks that are pulled again and again."""

import soak


def test_a_life(tmp_path):
    done = soak.Life(3, tmp_path, seconds=15).run()
    assert done.pulls >= 5
    assert done.changes >= 20
    assert done.files >= 3


def test_a_byte_that_differs_is_noticed(tmp_path):
    """The judge itself: the image is changed after the machine has ended."""
    life = soak.Life(3, tmp_path, seconds=1)
    life.run()
    stick = life._order[0]  # pylint: disable=protected-access
    name, (crc, length) = next(iter(life._sums[0].items()))  # pylint: disable=protected-access
    life._sums[0][name] = (crc ^ 1, length)  # pylint: disable=protected-access
    try:
        life._judge(stick, life._sums[0])  # pylint: disable=protected-access
    except soak.Wrong as error:
        assert name in str(error)
    else:
        raise AssertionError("nothing was noticed")
