"""tasks, task N bt, task N: which tasks run, which sleep, on what, and in which function."""

import gdb
from kernel import (Command, KERNEL_BASE, U32, array, at_address, describe, elements, enum_name,
                    function_at, read32, say, seconds, source_line, text, variable)

# The functions that every sleep goes through: left out when it is shown where a task sleeps.
_SLEEPING = {"switch_stacks", "switch_to", "schedule", "sleep", "sleep_on",
             "interruptible_sleep_on", "sleep_for", "wait_until", "xhci::controller::wait_until",
             "first_run_of_kernel_task", "xhci::controller::wait_until<"}

HEAP = []  # functions that may know the object at an address: its name, or None


def all_tasks():
    return [pointer.dereference() for pointer in array(variable("task")) if int(pointer)]


def current():
    return variable("current").dereference()


def task_with_pid(pid):
    for task in all_tasks():
        if int(task["pid"]) == pid:
            return task
    raise gdb.GdbError(f"no task has the number {pid}; `tasks` lists them")


def name_of(task):
    return f"{text(task['comm'])}[{int(task['pid'])}]"


def name_at(address):
    """The name of the task whose task_struct stands there."""
    return name_of(at_address(address, "task_struct"))


def sleepers(queue):
    """Names of the tasks that sleep on a wait_queue, the latest first."""
    return [name_at(int(waiter["task"])) for waiter in elements(queue["waiters"])]


def is_current(task):
    return int(task.address) == int(variable("current"))


def frames(task):
    """Return addresses on a task's kernel stack, by its frame pointers; not of the current one."""
    top = int(task["kernel_stack"]) + int(variable("KERNEL_STACK_SIZE"))
    at = int(task["stack_pointer"])
    # What switch_stacks keeps: edi, esi, ebx, ebp, and where it returns to.
    frame, pc = read32(at + 12), read32(at + 16)
    yield pc
    while at < frame <= top - 8:
        pc = read32(frame + 4)
        if pc < KERNEL_BASE:
            return
        yield pc
        at, frame = frame, read32(frame)


def place_of(task):
    """Where in the kernel a task that does not run has stopped: the first function of interest."""
    try:
        for pc in frames(task):
            for name in function_at(pc - 1):
                base = name.partition("<")[0]
                if base not in _SLEEPING and name not in _SLEEPING:
                    return name
    except gdb.MemoryError:
        pass
    return "?"


def queue_of(task):
    """The wait queue that a task sleeps on, by name."""
    address = int(task["sleeping_on"])
    if not address:
        return ""
    for other in all_tasks():
        stack = int(other["kernel_stack"])
        if stack <= address < stack + int(variable("KERNEL_STACK_SIZE")):
            if address == int(other["child_exited"].address):
                return f"{name_of(other)}.child_exited"
            return "a queue of its own" if same(other, task) else f"a queue of {name_of(other)}'s"
    for known in HEAP:
        if name := known(address):
            return name
    return describe(address) or f"{address:#010x}"


def same(task, other):
    return int(task.address) == int(other.address)


class Tasks(Command):
    """tasks: every task, its state, and what each sleeps on.

pid, father, state, ticks left of its turn, name; for a sleeper the wait queue, the kernel function
that sleeps, and the deadline. `task N bt` shows the whole way there."""

    def run(self, arguments):
        say("  pid ppid state            ticks name             sleeps on")
        for task in all_tasks():
            father = int(task["father"])
            ppid = int(task["father"]["pid"]) if father else 0
            mark = "*" if is_current(task) else " "
            say(f"{mark}{int(task['pid']):4} {ppid:4} {enum_name(task['state']):16} "
                f"{int(task['counter']):5} {text(task['comm']):16} {self._sleep(task)}".rstrip())

    @staticmethod
    def _sleep(task):
        if is_current(task) or enum_name(task["state"]) in ("zombie", "unused"):
            return ""
        if not int(task["sleeping_on"]):
            return f"in {place_of(task)}" if int(task["pid"]) else ""
        until = int(task["wake_at"]["ns"])
        deadline = "" if until == (1 << 63) - 1 else f", until {seconds(until)}"
        return f"{queue_of(task)} in {place_of(task)}{deadline}"


class Task(Command):
    """task N bt: the way that task N took into the kernel, to where it sleeps.
task N: its task_struct.

(The command of this name that gdb has for Ada is of no use here.)"""

    def run(self, arguments):
        if not arguments:
            raise gdb.GdbError("task N bt, or task N; `tasks` lists the numbers")
        task = task_with_pid(int(arguments[0]))
        if arguments[1:] and arguments[1] in ("bt", "backtrace", "where"):
            self._backtrace(task)
        else:
            gdb.execute(f"print *(task_struct *) {int(task.address):#x}")

    @staticmethod
    def _backtrace(task):
        if is_current(task):
            say(f"{name_of(task)} is the current task:")
            gdb.execute("backtrace")
            return
        say(f"{name_of(task)}, {enum_name(task['state'])}:")
        level = 0
        for pc in frames(task):
            for index, name in enumerate(function_at(pc - 1)):
                where = source_line(pc - 1) if index == 0 else "calls it, inlined"
                say(f"#{level:<3} {name}  {where}")
                level += 1
        registers = int(task["user_registers"])
        if registers:
            frame = task["user_registers"].dereference()
            say(f"     from user mode, eip {int(frame['eip']):#010x}, "
                f"esp {int(frame['esp']):#010x}, eax {int(frame['eax']) & U32:#x}")


def install():
    Tasks()
    Task()

