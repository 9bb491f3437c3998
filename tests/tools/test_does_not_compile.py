"""Mistakes that the types make impossible: snippets compiled with the kernel's own flags."""

import re
import subprocess

import pytest
import sources
from mutation.equivalent import kernels_compiler

USER_PTR = """
#include "kernel/user_memory.h"
result<u32> call(user_ptr from) { %s }
"""
OWNERSHIP = """
#include "drivers/usb/xhci/device.h"
namespace xhci {
ownership stop();
bool take_back() { %s }
}
"""


def complaint(text):
    """What the compiler says; empty if it takes the text."""
    command = kernels_compiler(sources.ROOT)
    assert command, "without the kernel's compiler nothing is known"
    done = subprocess.run([*command, "-fsyntax-only", "-xc++", "-"],
                          cwd=sources.ROOT, check=False, text=True, input=text, capture_output=True)
    assert bool(done.stderr) == bool(done.returncode)
    return done.stderr


@pytest.mark.parametrize("use", [
    "return get_user<u32>(from);",
    "return user_span(from + 4, 4, false)->size();",
    "return from ? from.address() : 0;",
])
def test_a_users_pointer_is_used_by_the_checks(use):
    assert complaint(USER_PTR % use) == ""


@pytest.mark.parametrize("use, why", [
    ("return *from;", "no match for .operator\\*."),
    ("return from[0];", "no match for .operator\\[\\]."),
    ("return from->value;", "base operand of .->. has non-pointer type .user_ptr."),
    ("const u32* p = from; return *p;", "cannot convert .user_ptr. to .const u32\\*"),
    ("return *static_cast<const u32*>(from);", "invalid .static_cast. from type .user_ptr."),
    ("return *reinterpret_cast<const u32*>(from);", "invalid cast from type .user_ptr."),
    ("u32 address = from; return address;", "cannot convert .user_ptr. to .u32."),
    ("return get_user<u32>(from.address());", "could not convert .* to .user_ptr."),
])
def test_a_users_pointer_is_no_pointer(use, why):
    assert re.search(why, complaint(USER_PTR % use))


@pytest.mark.parametrize("use", ["return stop().given_back();",
                                 "ownership answer = stop(); return answer.given_back();"])
def test_the_answer_about_memory_is_judged(use):
    assert complaint(OWNERSHIP % use) == ""


@pytest.mark.parametrize("use, why", [
    ("stop(); return true;", "ignoring returned value of type .xhci::ownership."),
    ("return stop();", "cannot convert .xhci::ownership. to .bool."),
    ("if (stop()) return true; return false;", "could not convert .* to .bool."),
    ("ownership a = stop(), b = a; return b.given_back();", "use of deleted function"),
])
def test_the_answer_about_memory_cannot_be_ignored(use, why):
    assert re.search(why, complaint(OWNERSHIP % use))
