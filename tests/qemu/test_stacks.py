"""A kernel stack that overflows, and a write into the kernel's text, are stopped at once.

gdb moves the stack pointer of the running kernel, for no program can make it do either.
"""

import re

from test_debugger import debug_session  # pylint: disable=unused-import

# At the entry of a system call that the shell makes.
IN_A_CALL = ["tbreak sys_waitpid", "continue"]
UNTIL_THE_PANIC = ["tbreak panic_with_registers", "continue", "print what",
                   "print/x registers.esp", "print current->pid"]


def panic_after(debug, *commands):
    told = debug(*IN_A_CALL, "print current->pid ", *commands, *UNTIL_THE_PANIC)
    before, after = (re.search(r"= (\d+)", told[f"print current->pid{space}"])[1]
                     for space in (" ", ""))
    assert before == after, "the panic names another task"
    return told


def test_a_stack_that_overflows_ends_in_its_guard_page(debug):
    told = panic_after(debug, "set $esp = (u32)current->kernel_stack + 4")
    assert "the kernel stack has overflowed" in told["print what"]


def test_the_page_below_a_stack_is_not_there(debug):
    # Two kernel tasks in places side by side.
    upper, lower = "task._M_elems[65]->kernel_stack", "task._M_elems[64]->kernel_stack"
    told = debug(*IN_A_CALL, f"print/x *(u32*)({upper} - 4)",
                 "print/x *(u32*)((u32)&boot_stack - 4)", f"print/x *(u32*)({upper} - 4100)",
                 f"print (u32){upper} - (u32){lower}", "print/x *(u32*)&boot_stack")
    *guards, neighbour, distance, stack = list(told.values())[2:]
    for guard in guards:
        assert "Cannot access memory" in guard
    assert "= 20480" in distance
    assert "= 0x" in neighbour and "= 0x" in stack


def test_the_stack_of_task_0_has_a_guard_page(debug):
    told = debug("tbreak idle", "continue", "set $esp = (u32)&boot_stack + 4", *UNTIL_THE_PANIC)
    assert "the kernel stack has overflowed" in told["print what"]


def test_text_and_constants_are_not_written(debug):
    for place in ("(u32)&kernel_start", "(u32)sys_waitpid", "(u32)&constants_end - 64"):
        told = panic_after(debug, f"x/4xw {place}", f"set $esp = {place} + 16", f"x/4xw  {place}")
        assert "double fault" in told["print what"]
        before, after = (told[f"x/4xw{space}{place}"].splitlines()[-1] for space in (" ", "  "))
        assert before == after
