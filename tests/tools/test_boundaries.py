"""tools/boundaries.py: every limit of the sources stands in tests/boundaries.txt, with a test that
exists; and each way in which the table can be wrong is found."""

import boundaries
import pytest
import sources

HEADER = """\
#pragma once
// constexpr u32 NOT_THIS = 1;
constexpr u32 NR_THINGS = 8, LAST_THING = NR_THINGS - 1;
struct thing {
  static constexpr u32 max_parts{4};
  std::array<char, 16> name{};
};
constexpr u32 half(u32 n) { return n / 2; }
constexpr std::array<u8, 3> MARK = {1, 2, 3};
"""
TESTS = """\
TEST(things, run_out) {
}
TEST_P(things,
       have_parts) {}
TEST_F(things, names_are_cut) {}
"""
PROGRAM = """\
inline void no_more_things() {
}
constexpr boundary BOUNDARIES[] = {{"things", boundary_tests::no_more_things}};
"""
TABLE = """\
# A comment.
floor: 3
not tried: 1

fs/thing.h NR_THINGS | tested by: things.run_out, user/tests/calls/boundaries.h:no_more_things
fs/thing.h max_parts | tested by: things.have_parts
fs/thing.h LAST_THING | tested by: tests/qemu/test_things.py::test_the_last_one
fs/thing.h MARK | no limit: a mark
fs/thing.h name | not tried: it is too long
"""


@pytest.fixture(name="tree")
def make_tree(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "ROOT", tmp_path)
    for name, text in {"fs/thing.h": HEADER, "tests/fs/thing_test.cc": TESTS,
                       "tests/qemu/test_things.py": "def test_the_last_one(boot):\n    pass\n",
                       "user/tests/calls/boundaries.h": PROGRAM}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def wrong(table):
    return list(boundaries.findings(*boundaries.read_table(table)))


def test_every_limit_of_the_project_has_its_test():
    assert not wrong(sources.text_of(boundaries.TABLE))


def test_limits_and_text_fields_are_found(tree):
    assert boundaries.limits_of("fs/thing.h") == {
        "NR_THINGS", "LAST_THING", "max_parts", "name", "MARK"}
    assert not wrong(TABLE)


@pytest.mark.parametrize("before, after, finding", [
    ("fs/thing.h MARK | no limit: a mark\n", "", "MARK stands not in"),
    ("MARK |", "MARK GONE |", "GONE does not exist"),
    ("fs/thing.h MARK", "fs/other.h *", "* does not exist"),
    ("things.run_out", "things.run_in", "no test things.run_in"),
    ("h:no_more", "h:more", "no test user/tests"),
    ("::test_the_last_one", "::test_the_first_one", "no test tests/qemu"),
    ("floor: 3", "floor: 4", "only 3 limits are covered"),
    ("not tried: 1", "not tried: 0", "1 limits are not tried"),
    ("name | not tried", "* | not tried", "`*` is for constants that are no limits"),
])
def test_what_is_wrong_is_found(tree, before, after, finding):
    assert before in TABLE
    assert any(finding in line for line in wrong(TABLE.replace(before, after)))


@pytest.mark.parametrize("before, after", [
    ("| no limit:", "| limit:"), ("no limit: a mark", "no limit: "), ("floor: 3\n", ""),
    ("not tried: 1\n", ""), ("| no", "no")])
def test_a_table_that_cannot_be_read_is_an_error(before, after):
    with pytest.raises(ValueError):
        boundaries.read_table(TABLE.replace(before, after))


@pytest.mark.parametrize("name, found", [
    ("retries", True), ("flush_retries", True), ("request_patience", True), ("patience", True),
    ("queue_size", True), ("fifo_size", True), ("poll_interval", True), ("nr_maps", True),
    ("max_parts", True), ("most_steps", True), ("sizes", False), ("retried", False),
    ("interval_mask", False)])
def test_a_limit_is_known_by_its_name(tree, name, found):
    (tree / "fs" / "new.cc").write_text(f"constexpr u32 {name} = 3;\n")
    assert boundaries.limits_of("fs/new.cc") == ({name} if found else set())
    assert wrong(TABLE) == ([f"fs/new.cc: {name} stands not in {boundaries.TABLE}"] if found else [])


@pytest.mark.parametrize("name, covered", [
    ("MAX_GROUPS", False), ("LONGEST_HOST_NAME", False), ("NR_GROUPS", False), ("max_groups", False),
    ("S_IFREG", True), ("MAXIMA", True)])
def test_a_star_stands_for_no_name_of_a_limit(tree, name, covered):
    (tree / "user/include").mkdir(parents=True)
    (tree / "user/include/new.h").write_text(f"constexpr int {name} = 32, FLAG = 1;\n")
    table = TABLE + "user/include/new.h * | no limit: flags\n"
    assert wrong(table) == (
        [] if covered else [f"user/include/new.h: {name} stands not in {boundaries.TABLE}"])
    assert not wrong(f"{table}user/include/new.h {name} | tested by: things.run_out\n")


def test_a_star_stands_for_what_no_other_line_names(tree):
    some = TABLE.replace("fs/thing.h MARK | no", "fs/thing.h * | no")
    assert not wrong(some)
    assert wrong(some.replace("floor: 3", "floor: 5"))
