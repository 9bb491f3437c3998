"""The programs: what they print, what they leave behind, how they complain."""

import os
import random
import subprocess

import pytest

from root_tree import ROOT

PROGRAMS = sorted(path.name for path in (ROOT / "bin").glob("*"))
WITHOUT_USAGE = {"echo", "true", "false", "test", "clear", "pwd"}  # or built in


@pytest.mark.parametrize("name", [p for p in PROGRAMS if p not in WITHOUT_USAGE])
def test_help(sh, name):
    for option in ("-h", "--help"):
        done = sh(f"{name} {option} | cat")
        assert done.stdout.startswith(f"usage: {name}") and done.stderr == ""


@pytest.mark.parametrize("script, expected", [
    ("echo -n a; echo b", "ab\n"),
    ("echo a > f; cat f - f < f", "a\na\na\n"),
    ("echo a > f; cp f g; cat g; mkdir d; cp f g d; ls d", "a\nf\ng\n"),
    ("mkdir -p a/b/c; echo x > a/b/c/f; cp -r a z; cat z/b/c/f; rm -r a; ls", "x\nz\n"),
    ("echo a > f; mv f g; ls; mkdir d; mv g d; ls d", "g\ng\n"),
    ("touch f; rm f; rm -f f; ls; echo $?", "0\n"),
    ("mkdir d; rmdir d; ls", ""),
    ("echo a > f; ln f g; echo b >> g; cat f; ls -i f g | wc -l", "a\nb\n2\n"),
    ("touch b .a c; ls; ls -a", "b\nc\n.\n..\n.a\nb\nc\n"),
    ("mkdir -p d/e; touch d/f d/e/g; ls -R d", "d:\ne\nf\n\nd/e:\ng\n"),
    ("mkdir d; ls -d d; ls -ld d | grep -c '^drwx'", "d\n1\n"),
    ("seq 3; seq 2 4; seq 5 -2 1", "1\n2\n3\n2\n3\n4\n5\n3\n1\n"),
    ("seq 20 | head -n 2; seq 20 | head -3; seq 20 | tail -n 2; seq 3 | tail; seq 9 | head -c 3",
     "1\n2\n1\n2\n3\n19\n20\n1\n2\n3\n1\n2"),
    ("seq 12 | wc -l; echo a b c | wc -w; echo abc | wc -c", "12\n3\n4\n"),
    ("seq 12 | grep 1; seq 12 | grep -v 1 | wc -l; seq 12 | grep -c '^1.$'; seq 12 | grep -n '2$'",
     "1\n10\n11\n12\n8\n3\n2:2\n12:12\n"),
    ("echo Hello | grep -i hELLO; echo 'a*b' | grep 'a\\*b'; echo aab | grep -q '^a*b$' && echo y",
     "Hello\na*b\ny\n"),
    ("echo a-b | grep '[x-z-]'; echo x5 | grep '[a-z][0-9]'; echo x | grep '[^x]' || echo no",
     "a-b\nx5\nno\n"),
    ("echo a > f; echo b > g; grep . f g; grep -l a f g", "f:a\ng:b\nf\n"),
    ("echo abc | tee f g; cat f g; echo d | tee -a f > x; cat f", "abc\nabc\nabc\nabc\nd\n"),
    ("echo a > f; echo a > g; cmp f g; echo $?; echo b > g; cmp f g; echo $?",
     "0\nf g differ: byte 1, line 1\n1\n"),
    ("touch f; chmod 640 f; ls -l f | grep -c '^-rw-r-----'; chmod u+x,g-r f; ls -l f | head -c 10",
     "1\n-rwx------"),
    ("true; echo $?; false; echo $?; test 1 -lt 2; echo $?", "0\n1\n0\n"),
    ("echo 123456789 > f; dd if=f bs=3 skip=1 count=1 status=none", "456"),
    ("echo 123456789 > f; echo -n xx | dd of=f bs=1 seek=2 conv=notrunc,fsync status=none; cat f",
     "12xx56789\n"),
    ("echo 123456789 > f; echo -n xx | dd of=f bs=1 seek=2 status=none; cat f", "12xx"),
    ("echo abcdefghijklmnop | hexdump -C",
     "00000000  61 62 63 64 65 66 67 68  69 6a 6b 6c 6d 6e 6f 70  |abcdefghijklmnop|\n"
     "00000010  0a                                                |.|\n00000011\n"),
    ("dd if=/dev/zero bs=64 count=1 status=none | hexdump",
     "00000000  00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00  |................|\n*\n00000040\n"),
    ("echo 0123456789 > f; hexdump -s 4 -n 2 f",
     "00000004  34 35                                             |45|\n00000006\n"),
    ("date -s x; date +%Y | grep -c '^20..$'", "1\n"),
    ("kill -l | grep -c USR", "2\n"),
    ("sh -c 'kill -USR1 $$' 2>&1; echo $?", "138\n"),
    ("{ sh -c 'kill -USR1 $$'; } 2>&1; echo $?", "User signal 1\n138\n"),
    ("sleep 5 & kill -9 $!; wait $!; echo $?", "137\n"),
    ("uname", "Replug\n"),
    ("echo x > f; stat f | head -n 2", "f: regular file\n  size     2 bytes, 8 blocks of 512\n"),
])
def test_prints(sh, script, expected):
    assert sh(script).stdout == expected


@pytest.mark.parametrize("script, status, message", [
    ("cat nothing", 1, "cat: nothing: No such file or directory\n"),
    ("cp nothing x", 1, "cp: nothing: No such file or directory\n"),
    ("mkdir d; cp d e", 1, "cp: d: is a directory (-r copies it)\n"),
    ("mkdir d; cp -r d d", 1, "cp: d/d: lies in what is to be copied\n"),
    ("echo a > f; cp f f", 1, "cp: f: is the same file\n"),
    ("mkdir d; rm d", 1, "rm: d: is a directory (-r removes it)\n"),
    ("mkdir d; touch d/f; rmdir d", 1, "rmdir: d: Directory not empty\n"),
    ("mkdir d; mkdir d", 1, "mkdir: d: File exists\n"),
    ("ls nothing", 1, "ls: nothing: No such file or directory\n"),
    ("kill 999999", 1, "kill: 999999: No such process\n"),
    ("kill -NONE 1", 1, "kill: NONE: no such signal (kill -l lists them)\n"),
    ("echo x | cat > /dev/full", 1, "cat: write error: No space left on device\n"),
    ("seq 10 > /dev/full", 1, "seq: write error: No space left on device\n"),
    ("seq 10000 > /dev/full", 1, "seq: write error: No space left on device\n"),
    ("ls / > /dev/full", 1, "ls: write error: No space left on device\n"),
    ("echo x > f; cp f /dev/full", 1, "cp: /dev/full: No space left on device\n"),
    ("dd if=/dev/zero of=/dev/full bs=1k count=1 status=none", 1,
     "dd: /dev/full: No space left on device\n"),
    ("echo a | tee /dev/full > f", 1, "tee: /dev/full: No space left on device\n"),
])
def test_complains(sh, script, status, message):
    done = sh(script)
    assert (done.returncode, done.stderr) == (status, message)


@pytest.mark.parametrize("name", ["cp", "mv", "rm", "mkdir", "kill", "grep", "sleep", "mount x"])
def test_wrong_use(sh, name):
    done = sh(name)
    assert done.returncode == 2 and "usage:" in done.stderr


@pytest.mark.parametrize("size", [0, 1, 1023, 1024, 8192, 8193, 200_000])
def test_bytes_survive(sh, tmp_path, size):
    data = random.Random(size).randbytes(size)
    (tmp_path / "f").write_bytes(data)
    done = sh("cp f a; cat f > b; cat < f | tee d > c; dd if=f of=e bs=700 status=none; cksum f < f")
    for copy in "abcde":
        assert (tmp_path / copy).read_bytes() == data
    expected = subprocess.run(["cksum", "f"], cwd=tmp_path, capture_output=True, text=True).stdout
    assert done.stdout == expected


def test_ls_long_form(sh, tmp_path):
    (tmp_path / "f").write_bytes(b"12345")
    os.utime(tmp_path / "f", (0, 86400 * 366))
    line = sh("ls -l f").stdout
    assert " 5 1971-01-02 00:00 f\n" in line and line.startswith("-rw")


def test_calendar(sh, tmp_path):
    (tmp_path / "f").touch()
    for seconds, text in ((951782400, "2000-02-29 00:00:00"), (951868799, "2000-02-29 23:59:59"),
                          (2147483647, "2038-01-19 03:14:07"), (1735689599, "2024-12-31 23:59:59")):
        os.utime(tmp_path / "f", (seconds, seconds))
        assert f"written  {text}\n" in sh("stat f").stdout


def test_book_programs(sh):
    done = sh("create_hello f; cat f; overwrite f; cat f; read_hello f; write_loop f 1000; read_a f;"
              "read_b f; write_c f; head -c 8 f; delete_hello f; ls f; hello1 a; hello3 a; fork_push;"
              "pipe_str")
    assert "f: 12 bytes\nHello, worldHello, WORLDf: 12 bytes\nf: 1000 times 12 bytes\n" in done.stdout
    assert "has read 100 bytes\n" in done.stdout and "has read 200 bytes\n" in done.stdout
    assert "ABCDE, w" in done.stdout
    assert "no name any more; 16 bytes" in done.stdout
    assert "A: shared is still 3\n" in done.stdout
    assert "the father has read 10000 bytes\n" in done.stdout


def test_book_signals(sh):
    done = sh("processig & sleep 0.2; sendsig $!; sleep 0.2; sendsig $!; sleep 0.2; kill $!; wait")
    assert done.stdout.count("has received SIGUSR1 (10)") == 2


def test_update_ignores_termination(sh):
    done = sh("update 1000 & sleep 0.2; kill $!; kill -INT $!; sleep 0.2; kill -9 $! && echo lived;"
              "wait $!; echo $?")
    assert done.stdout == "lived\n137\n"
