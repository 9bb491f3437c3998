"""`make debug` against the live kernel: every command, every walk, and the pages of docs/walks.

gdb runs in batch mode; each session boots the kernel, so there are few sessions.
"""

import json
import os
import re
import subprocess
import sys

import pytest
import sticks
from vm import BUILD, ROOT

GDB_SCRIPT = ROOT / "tools" / "gdb" / "replug.py"
PAGES = sorted(path.stem for path in (ROOT / "docs" / "walks").glob("*.md")
               if path.stem != "README")


@pytest.fixture(name="debug")
def debug_session(tmp_path):
    """debug(commands…) → {command: what it printed}; the machine starts with each session."""
    (tmp_path / "replug.elf").symlink_to((BUILD / "replug.elf").resolve())
    sticks.make_book_stick(tmp_path / "stick.img", 8192)

    def session(*commands, append="buffers=64"):
        arguments = [sys.executable, ROOT / "tools" / "run.py", "debug", "--append", append]
        for number, command in enumerate(commands):
            arguments += ["--gdb", f"echo <<{number}>>\\n", "--gdb", command]
        result = subprocess.run(
            [*arguments, "--gdb", "quit"], env={**os.environ, "BUILD": str(tmp_path)}, cwd=ROOT,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=120, check=False)
        assert result.returncode == 0
        assert "Python" not in result.stdout and "Traceback" not in result.stdout, result.stdout
        parts = re.split(r"^<<\d+>>$", result.stdout, flags=re.MULTILINE)[1:]
        assert len(parts) == len(commands), result.stdout
        return dict(zip(commands, parts))
    return session


# A command about the block that took a shadow last: it is dirty, so it is in the cache, however
# small that is.
def of_last_block(command):
    return (f"python gdb.execute('{command}' % [event.block for event in ckpt.story() "
            "if event.name == 'shadowed'][-1])")


# What each command must show after `walk write`: the line /mnt/hello.txt is dirty and held.
SHOWN = {
    "replug": r"why BLOCK",
    "help replug": r"the checkpoint region",
    "bufs": r"^… and 24 more: add `all`\n64 of 64 buffers$",
    "bufs all": r"^sda +\d+  UD\.\.\.    0  slot \d+ held$",
    "bufs sda dirty": r"slot \d+ held\n.*\n*[1-9]\d* of 64 buffers",
    "bufs 1-13 used": r"of 64 buffers",
    "dirty": r"^sda: \d+ dirty, oldest first\n.*\nsda .*  UD",
    "hash": r"^64 chains, \d+ buffers in them",
    of_last_block("hash sda %d"): r"^chain \d+: [1-9]\d* buffers\n(.*\n)*sda +\d+ ",
    "hash 3": r"^chain 3: ",
    "inodes": r"^sda +1 +d .*/mnt$",
    "inodes all": r"/mnt/hello.txt$",
    "requests": r"^no requests$",
    "tasks": (r"update +a queue of its own in sys_pause$(.*\n)*"
              r".*usb0-2\.plugged_ in xhci::attendant::run$"),
    "task 1 bt": r"sys_waitpid  kernel/exit\.cc:\d+(.*\n)*.*from user mode",
    "task 1": r"comm = \"init\"",
    "ckpt": r"^region: \d+ slots, [1-9]\d* in use",
    "ckpt sda": r"slot +\d+  sda +\d+  held ",
    "rings": r"endpoint 0 \(control\): 256 TRBs",
    "rings all event": r"command_completion_event success",
    "rings OUT": r"endpoint \d OUT: 768 TRBs(.*\n)*.*enqueue >",
    "ports": r"port +1 USB 3 .*connected enabled.*speed super.*slot 1: QEMU USB HARDDRIVE AB12$",
    "pagetable current": r"a kernel stack.*\n  page directory.*\n  page table.*\n  physical 0x",
    "pagetable 0x84000000": r"direct map\n  page directory.*\n  a page of 4 MiB",
    "pagetable 0x400000 of 1": r"page table(.*)\n  physical 0x",
    of_last_block("why %d sda"):
        r"shadowed: slot \d+(.*\n)*.*dirtied by process \d+(.*\n)*.*now: sda +\d+  U",
    "print *current": r"idle\[0\] running|sh\[\d+\]",
    "print *task._M_elems[1]": r"wake_at = never",
    "print $kernel(\"checkpoint::volumes\")": r"sda live, \d+ blocks in its set",
    "print $kernel(\"hash_table\", \"fs/inode_table.cc\")": r"list of \d+",
    "print $kernel(\"checkpoint::room\")": r"nobody waits",
}


def test_every_command(debug):
    printed = debug("bufs", "walk write", *(name for name in SHOWN if name != "bufs"), "bufs ")
    assert "Does the kernel run yet?" in printed.pop("bufs")
    printed["bufs"] = printed.pop("bufs ")
    for command, pattern in SHOWN.items():
        assert re.search(pattern, printed[command], re.MULTILINE), f"{command}:\n{printed[command]}"


@pytest.mark.parametrize("name", PAGES)
def test_every_walk_reaches_every_station(debug, name):
    walk, story = debug(f"walk {name}", of_last_block("why %d sda")).values()
    page = (ROOT / "docs" / "walks" / f"{name}.md").read_text()
    headings = re.findall(r"^## (\d+)\. (.+): `(.+)` in `(.+)`$", page, re.MULTILINE)
    told = re.findall(r"^── (\d+) of \d+: (.+) ── (.+), (.+)$", walk, re.MULTILINE)
    assert told == headings, walk
    assert "── the end" in walk
    if name == "replug":
        events = re.findall(r"#\d+ +(?:the stick is )?(\w+)", story)
        assert events[-7:] == ["pulled", "back", "replay", "queued", "written", "flushed",
                               "durable"], story


def test_one_walk_after_the_other(debug):
    write, unplug, sync, replug = debug("walk write", "walk unplug", "walk sync",
                                        "walk replug").values()
    assert "── the end" in write and "── the end" in unplug and "── the end" in replug
    assert "the stick is out: `walk replug` brings it back" in sync


@pytest.mark.parametrize("line,handlers", [(0, 1), (4, 1), (8, 0)])
def test_no_pci_device_gets_a_line_of_the_board(debug, line, handlers):
    """Timer, serial line and clock. The firmware gives it to the controller: it has no line then."""
    devices = "$kernel(\"devices\", \"drivers/pci/pci.cc\")._M_elems"
    given = [f"set {{unsigned char}}&{devices}[{n}].interrupt_line = {line}" for n in range(10)]
    lines = f"print {devices}"
    users = f"print $kernel(\"line_states\", \"kernel/i386/irq.cc\")._M_elems[{line}].handlers"
    edge_level = f"monitor i /b {0x4D0 + line // 8:#x}"
    printed = debug("tbreak usb_init", "continue", *given, lines,
                    "tbreak xhci::controller::serve", "continue ", users, edge_level)
    assert "controller::serve" in printed["continue "]
    found = re.findall(r"class_code = (\d+),\n +interrupt_line = (\d+)", printed[lines])
    assert (str(0x0C0330), str(line)) in found
    assert len(re.findall(r"handler = (?!0x0,)", printed[users])) == handlers, printed[users]
    bits = int(re.search(r"= (0x[0-9a-f]+)", printed[edge_level])[1], 16)
    assert bits >> line % 8 & 1 == 0, "it stays edge-triggered"


def gdb_without_machine(*commands):
    arguments = ["gdb", "-nx", "-batch", "-x", str(GDB_SCRIPT)]
    for command in commands:
        arguments += ["-ex", command]
    return subprocess.run([*arguments, str(BUILD / "replug.elf")], cwd=ROOT, capture_output=True,
                          text=True, timeout=60, check=False)


def test_the_pages_say_what_the_code_says():
    result = gdb_without_machine("walk")
    assert result.stderr == ""
    assert re.findall(r"^walk (\S+)", result.stdout, re.MULTILINE) == PAGES


@pytest.mark.parametrize("change,complaint", [
    (("`sys_write`", "`sys_wrote`"), "break line"),
    (("in `fs/bmap.cc`", "in `fs/inode.cc`"), "not in fs/inode.cc"),
    (("## 3. ", "## 4. "), "out of order"),
])
def test_a_stale_page_is_found(tmp_path, change, complaint):
    text = (ROOT / "docs" / "walks" / "write.md").read_text()
    (tmp_path / "write.md").write_text(text.replace(*change))
    result = gdb_without_machine("python import pages, pathlib",
                                 f"python pages.PAGES = pathlib.Path('{tmp_path}')", "walk")
    assert complaint in result.stderr


def test_the_map_of_the_design_names_files_that_exist():
    table = (ROOT / "docs" / "design.md").read_text().partition("## Rooms")[0]
    files = re.findall(r"`((?:kernel|fs|drivers|user)/[\w/.]+)`", table)
    assert len(files) >= 10
    assert [name for name in files if not (ROOT / name).exists()] == []


def test_nothing_of_the_users_is_read(debug, tmp_path, monkeypatch):
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gdbinit").write_text("echo read-it\\n\n")
    monkeypatch.setenv("HOME", str(home))
    printed = debug("info registers eip", "show history save")
    assert "0xfff0" in printed["info registers eip"]
    assert "is off" in printed["show history save"]
    assert sorted(path.name for path in home.iterdir()) == [".gdbinit"]
    assert "read-it" not in "".join(printed.values())


def without_comments(text):
    return json.loads(re.sub(r"^\s*//.*$", "", text, flags=re.MULTILINE))


def test_the_editors_settings_name_what_there_is():
    launch = without_comments((ROOT / ".vscode" / "launch.json").read_text())
    tasks = {task["label"]: task for task in
             without_comments((ROOT / ".vscode" / "tasks.json").read_text())["tasks"]}
    for wanted in (configuration["postDebugTask"] for configuration in launch["configurations"]):
        assert wanted in tasks
    for configuration in launch["configurations"]:
        assert configuration["preLaunchTask"] in tasks
        assert configuration["program"].endswith("/build/replug.elf")
    makefile = "".join((ROOT / name).read_text() for name in ("Makefile", "tools/commands.mk"))
    for task in tasks.values():
        goal = task["command"].split()[1]
        assert re.search(rf"^{goal}:", makefile, re.MULTILINE), goal


def test_the_editors_commands_attach(debug, tmp_path):
    """What launch.json gives to gdb, given to gdb, against the machine of its task."""
    debug("info registers eip")  # makes the build directory; its machine has ended
    environment = {**os.environ, "BUILD": str(tmp_path)}
    server = subprocess.Popen([sys.executable, ROOT / "tools" / "run.py", "debug", "--server"],
                              env=environment, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert "QEMU waits for a debugger" in server.stdout.readline()
        launch = without_comments((ROOT / ".vscode" / "launch.json").read_text())
        arguments = ["gdb", "-nx", "-batch"]
        for command in launch["configurations"][0]["customLaunchSetupCommands"]:
            text = command["text"].replace("${workspaceFolder}", str(ROOT))
            arguments += ["-ex", re.sub(r"\bbuild/", f"{tmp_path}/", text)]
        result = subprocess.run([*arguments, "-ex", "continue", "-ex", "tasks", "-ex", "detach"],
                                env=environment, cwd=ROOT, capture_output=True, text=True,
                                timeout=60, check=False)
        assert re.search(r"Breakpoint 1, main ", result.stdout), result.stdout + result.stderr
        subprocess.run([sys.executable, ROOT / "tools" / "run.py", "debug-end"], env=environment,
                       cwd=ROOT, check=True)
        assert server.wait(20) == 0
    finally:
        server.kill()
        server.wait()
