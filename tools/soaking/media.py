"""The kinds of sticks that a life can have, as options of QEMU's blkdebug.

Of most media everything that was acknowledged must be on the image in the end, also when their
errors come again and again: a write that failed stays held, and is written again. `bad` has a sector
that never takes a write: of it, only what fsync has acknowledged must be there.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Medium:
    name: str
    slow: bool = False  # always throttled
    failing: str = ""  # the event of blkdebug that fails at every n-th time
    bad: bool = False

    def faults(self, choice):
        """The options, drawn from `choice`."""
        if self.bad:
            return ("inject-error.0.event=write_aio", "inject-error.0.errno=5",
                    f"inject-error.0.sector={choice.randrange(300, 3000)}",
                    "inject-error.0.once=off")
        if self.failing:
            return every_nth(self.failing, choice.randrange(*PERIODS[self.failing]))
        return ()


PERIODS = {"write_aio": (15, 40), "flush_to_disk": (3, 8), "read_aio": (60, 120)}
KINDS = {"write_aio": "write", "flush_to_disk": "flush", "read_aio": "read"}

PLAIN = Medium("plain")
SLOW = Medium("slow", slow=True)
WRITES_FAIL = Medium("writes-fail", failing="write_aio")
FLUSHES_FAIL = Medium("flushes-fail", failing="flush_to_disk")
READS_FAIL = Medium("reads-fail", failing="read_aio")
BAD = Medium("bad", bad=True)
FIRST = (PLAIN, SLOW, WRITES_FAIL, FLUSHES_FAIL, READS_FAIL)  # judged in full
SECOND = (*FIRST, BAD)


def every_nth(event, n):
    """The n-th I/O of a kind fails, and then each n-th again. Without the second rule, which injects
    nothing, an error would stay in force until the next one."""
    options = []
    for state in range(1, n + 1):
        options += [f"set-state.{state - 1}.event={event}", f"set-state.{state - 1}.state={state}",
                    f"set-state.{state - 1}.new_state={state % n + 1}"]
    for number, (state, errno) in enumerate(((n, 5), (1, 0))):
        options += [f"inject-error.{number}.{key}={value}" for key, value in
                    (("event", event), ("state", state), ("errno", errno), ("once", "off"),
                     ("iotype", KINDS[event]))]
    return tuple(options)
