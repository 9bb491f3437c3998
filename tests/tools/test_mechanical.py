"""The mechanical mutants on a tiny tree of one room and one test program."""

import textwrap

import pytest
from mutation import coverage, mechanical, rooms
from mutation.changes import changes
from mutation.equivalent import Equivalents, kernels_compiler, same_code
from mutation.selections import FailsAlready, NoSuchTest
from mutation.tokens import Code
from mutation.workshop import ROOT, Workshop, make

SOURCE = """\
// A comment with if (x) return 1;
namespace {
constexpr int LIMIT = 10;  // not 11
struct pair { int a = 1; };
}  // namespace
static_assert(LIMIT > 3);

int used(int wanted) {
  if (wanted < 0) return -1;
  const guard over_the_sleep(wanted);
  const int next = wanted + 1;
  kassert(next > 0);
  while (!ready() && next < LIMIT) sleep_on(queue);
  TRY(write(next));
  wake_up(queue);
  free_slot(next);
  return next;
}
"""


def found(kind, text=SOURCE, name="fs/x.cc"):
    return {change.lines(text)[1] for change in changes(name, text) if change.kind == kind}


def test_conditions_are_negated():
    assert "if (!(wanted < 0)) return -1;" in found("negated")
    assert "while (ready() && next < LIMIT) sleep_on(queue);" in found("negated")


def test_a_condition_behind_a_declaration_is_negated():
    text = "void f() {\n  if (auto* r = g(); r->a) h();\n  if (auto* r = g()) h();\n}\n"
    assert found("negated", text) == {"if (auto* r = g(); !(r->a)) h();",
                                      "if (auto* r = g(); !r) h();"}


def test_comparisons_and_connectives_are_shifted():
    assert "while (!ready() && next <= LIMIT) sleep_on(queue);" in found("comparison")
    assert "while (!ready() || next < LIMIT) sleep_on(queue);" in found("connective")


def test_numbers_are_one_off_in_code_and_in_constants():
    assert {"constexpr int LIMIT = 11; // not 11", "const int next = wanted + 2;",
            "const int next = wanted - 1;"} <= found("one off")
    assert not any("struct" in line for line in found("one off"))
    assert not any("LIMIT = " in line for line in found("one off", name="fs/x.h"))


def test_numbers_keep_their_suffix_and_durations_are_halved():
    text = "void f() {\n  g(0xFFu, 1'000, 10_ms);\n}\n"
    assert found("one off", text) == {"g(0x100u, 1'000, 10_ms);", "g(0xfeu, 1'000, 10_ms);",
                                      "g(0xFFu, 1001, 10_ms);", "g(0xFFu, 999, 10_ms);",
                                      "g(0xFFu, 1'000, 5_ms);"}


def test_statements_wake_ups_errors_and_guards_are_dropped():
    changed = SOURCE.replace("  TRY(write(next));\n", "  ;\n")
    assert any(change.applied(SOURCE) == changed for change in changes("fs/x.cc", SOURCE))
    assert len(found("wake-up dropped")) == 1
    assert found("error ignored") == {"static_cast<void>(write(next));"}
    assert len([c for c in changes("fs/x.cc", SOURCE) if c.kind == "guard removed"]) == 2


def test_there_is_a_return_before_a_release():
    assert {"{ return {}; } free_slot(next);", "{ return; } free_slot(next);"} <= \
        found("early return")


def test_assertions_and_comments_stay():
    assert not [c for c in changes("fs/x.cc", SOURCE) if c.line in (1, 6, 12)]


def test_lines_stay_where_they_are():
    for change in changes("fs/x.cc", SOURCE):
        assert change.applied(SOURCE).count("\n") == SOURCE.count("\n")


def test_bodies_are_told_from_classes_and_values():
    text = ("struct s {\n  s() : a{1}, b(2) {\n    f();\n  }\n  int a = 3;\n};\n"
            "auto v = g(t{4}, [&] {\n  h();\n});\n")
    code = Code(text)
    bodies = {token.text for i, token in enumerate(code.tokens) if code.in_function[i]}
    assert {"f", "h"} <= bodies and not bodies & {"3", "4", "1"}


def test_every_name_finds_its_change_again():
    names = [change.name for change in changes("fs/x.cc", SOURCE)]
    assert len(names) == len(set(names))


def test_a_seed_draws_the_same_sample_and_every_kind(tmp_path):
    write(tmp_path, "fs/x.cc", SOURCE)
    drawn = [[c.name for c in rooms.drawn("fs", seed, ["fs/x.cc"], tmp_path)] for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert len({name.split(":")[3] for name in drawn[0][:9]}) == 9  # no flag stands in the source


def test_the_machines_own_room_is_left_out():
    assert rooms.room_of("kernel/i386/irq.cc") is None
    assert rooms.room_of("fs/checkpoint/region.cc") == "fs/checkpoint"
    assert rooms.room_of("drivers/usb/xhci/ring.cc") == "drivers/usb"


# --- a tree with three functions, of which one is tested, one in part, one not at all ---------------

TINY = {
    "lib/tiny.cc": """\
        int clamp(int value) {
          if (value > 10) return 10;
          return value;
        }
        int sum(int first, int last) {
          int found = 0;
          for (; first <= last; ++first) found += first;
          return found;
        }
        int forgotten(int value) { return value + 1; }
        """,
    "lib/twice.h": """\
        template <class T>
        T twice(T value) {
          return 2 * value;
        }
        """,
    "tests/lib/tiny_test.cc": """\
        #include <gtest/gtest.h>
        #include "lib/twice.h"
        int clamp(int value);
        int sum(int first, int last);
        TEST(tiny, clamps) { EXPECT_EQ(clamp(12), 10); }
        TEST(tiny, sums) { EXPECT_EQ(sum(0, 0), 0); }
        TEST(header, doubles) { EXPECT_EQ(twice(2), 4); }
        TEST(tiny, pull_sweep) { EXPECT_EQ(sum(1, 3), 6); }
        """,
    "Makefile": """\
        HOST_CXX ?= g++
        HOST := $(BUILD)/host
        OBJECTS := $(HOST)/product/lib/tiny.o $(HOST)/tests/lib/tiny_test.o
        .PHONY: host-tests
        .SECONDARY:
        BUILD ?= build
        host-tests: $(BUILD)/host/tiny_tests
        $(BUILD)/host/product/%.o: %.cc
        \t@mkdir -p $(@D)
        \t@$(HOST_CXX) -O0 -MMD -MP -I. -c $< -o $@
        $(BUILD)/host/tests/%.o: tests/%.cc
        \t@mkdir -p $(@D)
        \t@$(HOST_CXX) -O0 -MMD -MP -I. -c $< -o $@
        $(BUILD)/host/tiny_tests: $(BUILD)/host/product/lib/tiny.o $(BUILD)/host/tests/lib/tiny_test.o
        \t@$(HOST_CXX) -o $@ $^ -lgtest_main -lgtest -lpthread
        """,
    "tests/mutants/equivalent.txt": """\
        lib/tiny.cc
          - if (value > 10) return 10;
          + if (value >= 10) return 10;
          For 10 both return 10.
        """,
}


def write(root, name, text):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text))


@pytest.fixture(scope="module", name="tiny")
def tiny_bench(tmp_path_factory):
    root = tmp_path_factory.mktemp("tiny")
    for name, text in TINY.items():
        write(root, name, text)
    output, built = make(root, 2, "host-tests")
    assert built, output
    shop = Workshop(root / "build" / "mutants", root / "build" / "host", root)
    shop.furnish()
    return mechanical.Bench([shop], rooms.Objects(root / "build" / "host"),
                            coverage.load(root / "build", 2, root), Equivalents(root))


def outcome(bench, after, name="lib/tiny.cc"):
    text = (bench.root / name).read_text()
    change = next(c for c in changes(name, text) if c.lines(text)[1] == after)
    return bench.attempt(change)


def test_a_line_knows_its_tests(tiny):
    assert [test[1] for test in tiny.coverage.tests_at("lib/tiny.cc", 2)] == ["tiny.clamps"]
    assert [test[1] for test in tiny.coverage.tests_at("lib/tiny.cc", 7)] == ["tiny.sums"]
    assert not tiny.coverage.tests_at("lib/tiny.cc", 10)
    assert tiny.objects.sources() == {"lib": ["lib/tiny.cc", "lib/twice.h"]}


def test_a_selection_without_a_test_kills_nothing(tiny, monkeypatch):
    shop = Workshop(tiny.root, tiny.root / "build" / "host", tiny.root)
    assert shop.run_in_all("tiny.clamps", 9) is None
    for selection in ("tiny.clamps_no_more", "gone.since:also.gone"):
        with pytest.raises(NoSuchTest, match=selection):
            shop.run_in_all(selection, 9)
    with pytest.raises(NoSuchTest, match="a patch: no test is called gone.*"):
        shop.demand_tests("tiny.*:gone.*", "a patch")
    monkeypatch.setattr(tiny, "coverage", coverage.Coverage([["tiny_tests", "gone.since", 0.1]],
                                                            {"lib/tiny.cc": {"2": [0]}}))
    with pytest.raises(NoSuchTest, match="gone.since"):
        outcome(tiny, "if (!(value > 10)) return 10;")


def test_an_earlier_map_loses_the_tests_that_are_gone(tiny):
    known = coverage.Coverage([["tiny_tests", "gone.since", 0.1], ["tiny_tests", "tiny.sums", 0.2]],
                              {"lib/tiny.cc": {"7": [0, 1], "2": [0]}})
    left = known.of_tests_in(tiny.root / "build" / "host")
    assert left.tests == [["tiny_tests", "tiny.sums", 0.2]]
    assert left.lines == {"lib/tiny.cc": {"7": [0], "2": []}}


def test_a_change_that_a_test_sees_is_killed(tiny):
    result = outcome(tiny, "if (!(value > 10)) return 10;")
    assert (result.verdict, result.why) == (mechanical.KILLED, "tiny.clamps")


def test_a_change_of_a_header_that_only_a_test_compiles_is_killed(tiny):
    assert not tiny.coverage.tests_at("lib/twice.h", 3)
    result = outcome(tiny, "return 3 * value;", "lib/twice.h")
    assert (result.verdict, result.why) == (mechanical.KILLED, "header.doubles")


def test_a_change_that_no_test_sees_survives(tiny):
    assert outcome(tiny, "for (; first <= last; ++first) ;").verdict == mechanical.SURVIVES


def test_a_change_that_no_test_executes_survives(tiny):
    result = outcome(tiny, "int forgotten(int value) { return value - 1; }")
    assert (result.verdict, result.why) == (
        mechanical.SURVIVES, "no test on the host executes it")


def test_what_the_tests_of_a_line_miss_meets_the_last_resorts(tiny, monkeypatch):
    class Resort:
        def __init__(self, verdict):
            self.verdict, self.seen, self.looks = verdict, [], []

        def fails(self, workshop):
            self.looks.append((workshop.tree / "lib/tiny.cc").read_text() ==
                              (tiny.root / "lib/tiny.cc").read_text())

        def kills(self, workshop, change):
            self.seen.append((workshop.tree / change.file).read_text() == change.applied(
                (tiny.root / change.file).read_text()))
            return self.verdict

    blind, sees = Resort(None), Resort("a pull")
    monkeypatch.setattr(tiny, "last_resorts", [blind, sees])
    result = outcome(tiny, "int forgotten(int value) { return value - 1; }")
    assert (result.verdict, result.why) == (mechanical.KILLED, "a pull")
    assert outcome(tiny, "if (!(value > 10)) return 10;").why == "tiny.clamps"
    assert blind.seen == sees.seen == [True]
    outcome(tiny, "for (; first <= last; ++first) ;")
    assert blind.looks == sees.looks == [True], "at the good tree, once"
    assert sees.seen == [True, True]


def test_a_last_resort_that_fails_without_any_change_kills_nothing(tiny, monkeypatch):
    class Red:
        def fails(self, workshop):
            return workshop.run("tiny_tests", "tiny.pull_sweep", 9) or "a pull"

        def kills(self, workshop, change):
            raise AssertionError("it must not be asked")

    monkeypatch.setattr(tiny, "last_resorts", [Red()])
    monkeypatch.setattr(tiny, "_last_resorts_pass", False)
    with pytest.raises(FailsAlready, match="a pull"):
        outcome(tiny, "int forgotten(int value) { return value - 1; }")


def test_a_test_that_fails_without_any_change_is_refused(tmp_path):
    for name, text in TINY.items():
        write(tmp_path, name, text)
    with (tmp_path / "tests/lib/tiny_test.cc").open("a") as file:
        file.write('TEST(other, is_red) { EXPECT_EQ(clamp(1), 2); }\n')
    output, built = make(tmp_path, 2, "host-tests")
    assert built, output
    with pytest.raises(FailsAlready, match="fail already: other.is_red$"):
        coverage.load(tmp_path / "build", 2, tmp_path)
    shop = Workshop(tmp_path / "mutants", tmp_path / "build" / "host", tmp_path)
    shop.furnish()
    bench = mechanical.Bench([shop], rooms.Objects(tmp_path / "build" / "host"),
                             coverage.Coverage([], {}), Equivalents(tmp_path))
    text = (tmp_path / "lib/tiny.cc").read_text()
    change = next(c for c in changes("lib/tiny.cc", text)
                  if c.lines(text)[1].endswith("return value - 1; }"))
    with pytest.raises(FailsAlready, match="fails already: other.is_red"):
        bench.attempt(change, everything=True)


def test_a_change_that_hangs_is_killed(tiny, monkeypatch):
    monkeypatch.setattr(mechanical, "MINIMUM_PATIENCE", 1)
    text = (tiny.root / "lib/tiny.cc").read_text()
    change = next(c for c in changes("lib/tiny.cc", text)
                  if c.lines(text)[1] == "for (; first <= last; --first) found += first;")
    change.replacement = "/* no step */"
    assert tiny.attempt(change).why == "tiny.sums (hangs)"


def test_a_listed_change_is_equivalent(tiny):
    result = outcome(tiny, "if (value >= 10) return 10;")
    assert (result.verdict, result.why) == (mechanical.EQUIVALENT, "For 10 both return 10.")


def test_the_tree_is_good_again_after_a_change(tiny):
    outcome(tiny, "if (!(value > 10)) return 10;")
    assert outcome(tiny, "for (; first <= last; ++first) ;").verdict == mechanical.SURVIVES


def test_a_map_is_kept_until_a_source_changes(tiny):
    mark = coverage.fingerprint(tiny.root)
    write(tiny.root, "tests/lib/new_test.cc", "int x;\n")
    assert coverage.fingerprint(tiny.root) != mark


@pytest.mark.skipif(not kernels_compiler(ROOT), reason="the kernel's compiler is not there")
def test_a_change_of_nothing_is_equivalent_for_the_kernels_compiler():
    text = "int f(unsigned x) {\n  if (x < 1) return 2;\n  return 3;\n}\n"
    assert same_code(ROOT, "x.cc", text, text.replace("x < 1", "x <= 0"))
    assert not same_code(ROOT, "x.cc", text, text.replace("x < 1", "x < 2"))
    size = "int f() { return sizeof(void*); }\n"
    assert same_code(ROOT, "x.cc", size, size.replace("sizeof(void*)", "4"))
    wrong = "int f() { return undeclared; }\n"
    assert not same_code(ROOT, "x.cc", wrong, wrong.replace("f()", "g()"))


def test_without_the_kernels_compiler_nothing_is_known_of_a_change(tiny):
    assert not kernels_compiler(tiny.root)
    assert not same_code(tiny.root, "x.cc", "int x;\n", "int x;\n")


def test_the_list_of_equivalent_changes_is_up_to_date():
    assert not list(Equivalents(ROOT).flaws(ROOT))


def test_an_entry_that_the_source_has_left_behind_is_found(tmp_path):
    write(tmp_path, "lib/tiny.cc", "int f();\n")
    write(tmp_path, "tests/mutants/equivalent.txt", TINY["tests/mutants/equivalent.txt"])
    assert len(list(Equivalents(tmp_path).flaws(tmp_path))) == 1
