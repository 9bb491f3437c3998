"""`make soak` without a machine: its plan, its hands, its judge, and what it prints when it ends."""

import random
import re
import signal
import subprocess
import sys
import textwrap
import zlib
from collections import Counter
from pathlib import Path

import minix
import pytest
from soaking import judge, life, media
from soaking.done import Done
from soaking.hands import Hands
from soaking.plan import SLOW, Plan, Step
from vm import Stick

TOOLS = Path(__file__).resolve().parents[2] / "tools"
STICKS = {"stick": 1, "other": 6}


# --- the plan ------------------------------------------------------------------------------------


def acts_of(seed, count=200, slow=()):
    plan = Plan(random.Random(seed), STICKS, slow)
    return [plan.act() for _ in range(count)]


def test_a_seed_gives_the_same_plan_again():
    assert acts_of(7) == acts_of(7)
    assert acts_of(7) != acts_of(8)


@pytest.mark.parametrize("seed", range(8))
def test_whatever_comes_first_no_port_is_taken_twice_and_all_sticks_return(seed):
    """The two lists of an act go on side by side: any step of one may come at any step of the other,
    except that one `meet` waits for the other."""
    choice, at = random.Random(seed), dict(STICKS)
    for act in acts_of(seed):
        left = {name: list(steps) for name, steps in act.items()}
        while any(left.values()):
            name = choice.choice([name for name in left if left[name]])
            other = next(one for one in STICKS if one != name)
            step = left[name][0]
            if step.action == "meet" and any(s.action == "meet" for s in left[other][1:]):
                continue
            left[name].pop(0)
            if step.action == "pull":
                assert at.pop(name)
            elif step.action == "plug":
                assert name not in at and step.value not in at.values()
                at[name] = step.value
        assert set(at) == set(STICKS)


def test_every_kind_of_pull_comes_often():
    steps = [step for act in acts_of(1, 400) for steps in act.values() for step in steps]
    places = Counter(step.place for step in steps if step.action == "pull")
    assert places.keys() == {"plain", "write", "replay", "arrival", "bounce", "swap"}
    assert min(places.values()) > places.total() / 20
    ports = Counter(step.value for step in steps if step.action == "plug")
    assert set(ports) == set(range(1, 9))


def test_two_sticks_are_swapped():
    swaps = [act for act in acts_of(1) if any(s.action == "meet" for s in act["stick"])]
    assert len(swaps) > 15
    at = dict(STICKS)
    for act in acts_of(1):
        before = dict(at)
        for name, steps in act.items():
            at[name] = [s.value for s in steps if s.action == "plug"][-1]
        if act in swaps:
            assert (at["stick"], at["other"]) == (before["other"], before["stick"])


def test_sticks_are_pulled_again_within_milliseconds():
    def quick(steps):
        waits = [[s.value for s in steps[i:i + 5] if s.action == "wait"]
                 for i, s in enumerate(steps) if s.place == "bounce"]
        return any(sum(wait) < 0.02 for wait in waits if wait)
    assert sum(quick(steps) for act in acts_of(1) for steps in act.values()) > 10


def test_a_slow_stick_is_never_fast():
    for act in acts_of(3, slow=["other"]):
        assert all(step.value in SLOW for step in act["other"] if step.action == "throttle")


# --- the hands -----------------------------------------------------------------------------------


class Desk:
    """A machine that notes what is done to it. `is_read`: the kernel has read the stick."""

    def __init__(self, image, is_read=True):
        self.sticks = {name: Stick(image, name=name) for name in STICKS}
        self.is_read = is_read
        self.log = []

    def used(self, _):
        return self.is_read

    def pull(self, name):
        self.log.append(f"pull {name}")

    def plug(self, name, port):
        self.log.append(f"plug {name} {port}")

    def throttle(self, name, speed):
        self.log.append(f"throttle {name} {speed}")


def perform(machine, **act):
    done = Done()
    Hands(machine, done, "xhci", {"stick": "plain", "other": "slow"}).perform(act)
    return done


@pytest.fixture(name="image")
def image_file(tmp_path):
    path = tmp_path / "image"
    path.write_bytes(b"")
    return path


def test_a_pull_counts_where_it_was_done(image):
    machine = Desk(image)
    done = perform(machine, other=[Step("pull", place="plain"), Step("throttle", 5),
                                   Step("plug", 3)])
    assert machine.log == ["pull other", "throttle other 5", "plug other 3"]
    assert done.pulls == {("xhci", "slow"): 1}
    assert (done.places, done.early) == ({"plain": 1}, 0)


def test_a_pull_before_the_kernel_has_read_the_stick_does_not_count(image):
    machine = Desk(image, is_read=False)
    done = perform(machine, stick=[Step("pull", place="bounce")])
    assert machine.log == ["pull stick"]
    assert (done.pulls.total(), done.early) == (0, 1)


def test_a_pull_that_fails_does_not_count(image):
    class Stuck(Desk):
        def pull(self, name):
            raise OSError("it is stuck")
    done = Done()
    with pytest.raises(OSError):
        Hands(Stuck(image), done, "xhci", {"stick": "plain"}).perform({"stick": [Step("pull")]})
    assert done.pulls.total() + done.early == 0


@pytest.mark.parametrize("written, place", [(True, "write"), (False, "plain")])
def test_a_pull_in_a_write_is_one_only_if_there_was_a_write(image, written, place):
    class Busy(Desk):
        def throttle(self, name, speed):
            if written:
                image.write_bytes(b"new")
    steps = [Step("write", 0.2), Step("pull", place="write")]
    done = perform(Busy(image), stick=steps, other=[Step("wait", 0.05), Step("throttle", 0)])
    assert done.places == {place: 1}


def test_one_waits_for_the_other_where_they_meet(image):
    machine = Desk(image)
    perform(machine, stick=[Step("pull"), Step("meet"), Step("plug", 6)],
            other=[Step("wait", 0.05), Step("pull"), Step("meet"), Step("wait", 0.05),
                   Step("plug", 1)])
    assert machine.log == ["pull stick", "pull other", "plug stick 6", "plug other 1"]


# --- the judge -----------------------------------------------------------------------------------


@pytest.fixture(name="stick")
def stick_image(tmp_path):
    image = tmp_path / "stick.img"
    volume = minix.Volume.make(image, 512)
    volume.mkdir("/kept0")
    volume.write("/kept0/f0", b"acknowledged")
    return image


GOOD = {"/kept0/f0": (zlib.crc32(b"acknowledged"), 12)}


@pytest.mark.parametrize("judged", [judge.judge, judge.judge_files])
def test_the_judge_notices_what_differs(stick, judged):
    assert judged(stick, GOOD) == 1
    for wrong in ({"/kept0/f0": (zlib.crc32(b"Acknowledged"), 12)},
                  {"/kept0/f0": (zlib.crc32(b""), 0)}, {"/kept0/f1": (zlib.crc32(b""), 0)}):
        with pytest.raises(judge.Wrong):
            judged(stick, GOOD | wrong)


@pytest.mark.parametrize("judged", [judge.judge, judge.judge_files])
def test_an_image_of_which_nothing_is_judged_is_a_failure(stick, judged):
    with pytest.raises(judge.Wrong, match="no file"):
        judged(stick, {})


def test_a_damaged_file_system_is_a_failure_also_when_its_files_are_good(stick):
    volume = minix.Volume.open(stick, writable=True)
    volume.zone_map.set(volume.nzones - volume.first_data_zone - 5)
    del volume
    assert judge.judge_files(stick, GOOD) == 1
    for mounted in (False, True):
        with pytest.raises(judge.Wrong, match="stick"):
            judge.judge(stick, GOOD, mounted)


@pytest.mark.parametrize("judged", [judge.judge, judge.judge_files])
@pytest.mark.parametrize("start, end", [(0, 2 * minix.BLOCK), (minix.BLOCK + 16, minix.BLOCK + 18),
                                        (2 * minix.BLOCK, 40 * minix.BLOCK)])
def test_a_destroyed_file_system_is_a_failure_too(stick, judged, start, end):
    """A soak ends with the images of a life only if the judge calls it wrong."""
    with open(stick, "r+b") as file:
        file.seek(start)
        file.write(b"\xff" * (end - start))
    with pytest.raises(judge.Wrong):
        judged(stick, GOOD)


@pytest.mark.parametrize("judged", [judge.judge, judge.judge_files])
def test_an_image_that_is_cut_short_is_a_failure_too(stick, judged):
    with open(stick, "r+b") as file:
        file.truncate(100)
    with pytest.raises(judge.Wrong):
        judged(stick, GOOD)


def test_only_a_mounted_stick_need_not_call_itself_valid(stick):
    with open(stick, "r+b") as file:
        file.seek(minix.BLOCK + 18)
        file.write(b"\0\0")
    assert judge.judge(stick, GOOD, mounted=True) == 1
    with pytest.raises(judge.Wrong, match="state is 0"):
        judge.judge(stick, GOOD)


REPORT = "kept f0 123 45\r\nkept f7 8 0\r\nkeeper: 99 changes, 2 kept, 0 wrong\r\n"


def test_the_report_of_keeper():
    assert judge.kept(REPORT) == ({"f0": (123, 45), "f7": (8, 0)}, 99)


@pytest.mark.parametrize("report", [
    "", REPORT.replace("kept f7", "keReplug: a stick\nkept f7 8 0").replace("pt f7", "x"),
    REPORT.replace("2 kept", "3 kept"), REPORT[:30]])
def test_a_report_that_is_not_whole_is_not_taken(report):
    with pytest.raises(ValueError):
        judge.kept(report)


def test_what_keeper_has_seen_itself_is_a_failure():
    with pytest.raises(judge.Wrong):
        judge.kept(REPORT.replace("0 wrong", "1 wrong"))


def test_a_held_file_counts_when_one_of_its_lines_is_whole():
    good = f"held /mnt/kept0/f3 1234 99 {1234 ^ 99}\n"
    assert judge.held("held /mnt/kept0/f3 12sda: 34\n" + good) == {"/mnt/kept0/f3": (1234, 99)}
    assert judge.held(good.replace("1234", "123")) == {}
    assert judge.held("held nothing\n" + good[:25]) == {}


@pytest.mark.parametrize("line", [
    "PANIC: reserved_ > 0", 'LOST: "QEMU HARDDISK" did not come back: 7 blocks given up',
    '"QEMU HARDDISK" (serial X) was changed elsewhere while it was away: nothing is written to it',
    '"QEMU HARDDISK" (serial X) was formatted anew while it was away, or is another stick',
    "Two sticks claim to be sda and are alike: neither is written to. Pull one",
    "/dev/sda: damaged file system: zone out of range (48583)",
    "xhci0: a slot cannot be disabled; every device on it is gone",
    "irq 11: nobody claims it; the line is masked"])
def test_what_the_kernel_must_not_say(line):
    good = '# sync\n"QEMU" (serial X) is back as sda: 8 blocks written in 0.03 s, nothing is lost\n'
    assert judge.complaint(good) is None
    assert judge.complaint(f"{good}# {line}\n{good}").startswith(f"# {line}\n")


def test_the_report_of_monkey():
    assert judge.calls("monkey: 1234 calls\r\n") == 1234
    with pytest.raises(ValueError):
        judge.calls("mon")


# --- lives ---------------------------------------------------------------------------------------


def test_sixty_lives_meet_every_pair_of_media_at_both_controllers(tmp_path):
    lives = [life.Life(seed, tmp_path, twins=True) for seed in range(1, 61)]
    met = Counter((one.controller, *(medium.name for medium in one.media)) for one in lives)
    assert len(met) == 60
    assert len({medium.name for one in lives for medium in one.media}) == len(media.SECOND)
    assert all(not one.media[0].bad for one in lives)
    text = "\n".join(map(str, lives))
    for kind in ("twins", "cut", "buffers=64", "policy=0.11", "q35"):
        assert 5 < len(re.findall(rf"\b{kind}\b", text)) < 55


@pytest.mark.parametrize("twins", [False, True])
def test_sticks_with_the_same_serial_are_twins_only_when_these_are_wanted(tmp_path, twins):
    found = 0
    for seed in range(1, 41):
        one = life.Life(seed, tmp_path, twins=twins)
        if len({stick.serial for stick in one._sticks}) == 2:
            continue
        found += 1
        one._make_images()
        assert len({stick.image.stat().st_size for stick in one._sticks}) == 1
        sizes = {minix.Volume(stick.image.read_bytes()).nzones for stick in one._sticks}
        assert len(sizes) == (1 if twins else 2)
        assert all(minix.fsck(stick.image) == "" for stick in one._sticks)
    assert 4 < found < 20


def test_a_life_is_the_same_again(tmp_path):
    one, again = (life.Life(7, tmp_path) for _ in range(2))
    assert str(one) == str(again)
    assert one._sticks == again._sticks


def run_life(tmp_path, monkeypatch, live):
    """A life whose machine is not there."""
    class Nothing:
        def __init__(self, **_):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def stderr(self):
            return ""

        def kill(self):
            pass

    monkeypatch.setattr(life, "AuditedMachine", Nothing)
    one = life.Life(1, tmp_path)
    monkeypatch.setattr(one, "_live", lambda: live(one))
    return one.run()


@pytest.mark.parametrize("pulls, files", [(0, 5), (5, 0)])
def test_a_life_that_judged_nothing_or_pulled_nothing_is_a_failure(tmp_path, monkeypatch, pulls,
                                                                   files):
    def live(one):
        one.done.pulls["x", "y"] = pulls
        one.done.files = files
    with pytest.raises(judge.Wrong, match="nothing"):
        run_life(tmp_path, monkeypatch, live)


def test_the_least_number_of_judged_files_is_told(tmp_path, monkeypatch):
    def live(one):
        one.done.pulls["x", "y"] = one.done.files = next(files)
    total, files = Done(), iter([9, 4, 7])
    for _ in range(3):
        total.add(run_life(tmp_path, monkeypatch, live))
    assert total.files == 20
    assert list(total.table())[-1] == "  judged: at least 4 files in every life"


def test_a_life_that_was_stopped_is_not_wrong(tmp_path, monkeypatch):
    def live(one):
        one.stop()
        raise OSError("QEMU has ended")
    with pytest.raises(life.Stopped):
        run_life(tmp_path, monkeypatch, live)

    def dies(_):
        raise OSError("QEMU has ended")
    with pytest.raises(judge.Wrong, match="QEMU has ended"):
        run_life(tmp_path, monkeypatch, dies)


def test_a_life_that_is_stopped_while_the_machine_powers_off_is_not_wrong(tmp_path, monkeypatch):
    """stop() ends QEMU, and QEMU has a status that no poweroff gives it."""
    class Off:
        console = type("Console", (), {"text": "", "start": lambda *_: None})()

        def audit(self):
            pass

        def stderr(self):
            return ""

        def wait_end(self, _):
            return -signal.SIGKILL

    def live(stopped):
        def powers_off(one):
            monkeypatch.setattr(one, "_machine", Off())
            monkeypatch.setattr(one, "stop", lambda: None)
            one._stopped = stopped
            one._power_off()
        return powers_off
    with pytest.raises(life.Stopped):
        run_life(tmp_path, monkeypatch, live(True))
    with pytest.raises(judge.Wrong, match="status -9"):
        run_life(tmp_path, monkeypatch, live(False))


# --- the program ---------------------------------------------------------------------------------

DRIVER = """
    import sys, threading
    sys.path.insert(0, {tools!r})
    import soak
    from soaking.done import Done

    class Life:
        controller = "xhci"

        def __init__(self, seed, directory, twins):
            self.seed, self.done, self._event = seed, Done(), threading.Event()
            self.done.pulls["xhci", "plain"] = 10
            self.done.places["swap"] = 10
            self.done.files = 3

        def __str__(self):
            return f"life {{self.seed}}"

        def stop(self):
            self._event.set()

        def console_text(self):
            return "the console"

        def run(self):
            {run}
            self.done.lives["xhci"] = 1
            return self.done

    soak.Life = Life
    from pathlib import Path
    soak.FAILED = Path({failed!r})
    sys.exit(soak.main())
"""
WAITS = "if self.seed > 2:\n                self._event.wait()\n                raise soak.Stopped"


def start_soak(tmp_path, run, *options):
    program = textwrap.dedent(DRIVER).format(tools=str(TOOLS), run=run, failed=str(tmp_path))
    return subprocess.Popen([sys.executable, "-c", program, *options], stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_prints_what_it_has_done_when_it_is_stopped(tmp_path, number):
    with start_soak(tmp_path, WAITS, "--jobs", "2") as process:
        lines = [process.stdout.readline() for _ in range(2)]
        process.send_signal(number)
        rest = process.stdout.read()
    assert sorted(line.partition(":")[0] for line in lines) == ["life 1", "life 2"]
    assert re.search(r"^stopped; not judged and not counted: [012] lives with [012]+ pulls$", rest,
                     re.MULTILINE)
    assert "xhci: 2 lives, 20 pulls: plain 20" in rest and "swap 20" in rest
    assert re.search(r"^2 lives in .*, 20 pulls .* 6 files judged, .*: nothing lost$", rest,
                     re.MULTILINE)
    assert process.returncode == 0


def test_it_ends_after_so_many_pulls(tmp_path):
    with start_soak(tmp_path, "pass", "--jobs", "1", "--pulls", "35") as process:
        text = process.stdout.read()
    assert re.search(r"^4 lives .*, 40 pulls ", text, re.MULTILINE)
    assert process.returncode == 0


WRONG = "if self.seed == 2:\n                raise soak.Wrong('a byte is lost')"


def test_it_ends_at_a_life_that_goes_wrong_and_keeps_it(tmp_path):
    with start_soak(tmp_path, WRONG, "--jobs", "1") as process:
        text = process.stdout.read()
    assert "life 2: WRONG\na byte is lost\n" in text and "make soak SEEDS=2" in text
    assert re.search(r"^1 lives .*: WRONG: seeds 2$", text, re.MULTILINE)
    assert process.returncode == 1
    assert (tmp_path / "2" / "console.txt").read_text() == "the console"
    assert "a byte is lost" in (tmp_path / "2" / "reason.txt").read_text()


def test_it_can_go_on_after_one_and_is_not_pleased(tmp_path):
    with start_soak(tmp_path, WRONG, "--jobs", "2", "--go-on", "--seeds", "1-6") as process:
        text = process.stdout.read()
    assert re.search(r"^5 lives .*: WRONG: seeds 2$", text, re.MULTILINE)
    assert process.returncode == 1
