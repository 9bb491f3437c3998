"""Every rule of tools/lint.py must be able to fail: each gets a source that breaks it."""

import re

import citations
import lint
import pytest
import sources

BROKEN = {
    lint.layers: ("fs/bad.cc", '#include "kernel/sched.h"\n'),
    lint.no_circles: ("lib/good.h", '#pragma once\n#include "fs/good.h"\n'),
    lint.machine_access: ("fs/bad.cc", 'void f() { asm volatile("cli"); }\n'),
    lint.no_build_switches: ("lib/bad.h", "#pragma once\n#ifdef HOST\n#endif\n"),
    lint.headers_alone: ("lib/bad.h", "#pragma once\ninline u32 f() { return 1; }\n"),
    lint.formatting: ("lib/bad.h", "#pragma once\nint   f( );\n"),
    lint.no_leftovers: ("lib/bad.cc", "// TO" + "DO: later\n"),
    lint.short_functions: ("lib/bad.cc", "int f() {\n" + "  g();\n" * 80 + "}\n"),
    lint.plain_words: ("lib/bad.h", "#pragma once\n// It wakes nobody.\n"),
    lint.citations_exist: ("lib/bad.h", "#pragma once\n// See rule 1.\n"),
}


# Findings that one file alone cannot make.
CIRCLES = {
    "two headers": {"lib/a.h": "lib/b.h", "lib/b.h": "lib/a.h"},
    "a header and a body": {"lib/a.h": "lib/b.h", "lib/b.cc": "lib/a.h", "lib/b.h": None},
    "two bodies": {"lib/a.h": None, "lib/a.cc": "lib/b.h", "lib/b.h": None, "lib/b.cc": "lib/a.h"},
    "three units": {"lib/a.h": "lib/b.h", "lib/b.h": "lib/c.h", "lib/c.h": None,
                    "lib/c.cc": "lib/a.h"},
}


@pytest.fixture(name="tree")
def make_tree(tmp_path, monkeypatch):
    """A tree of its own, with two rooms and nothing wrong."""
    monkeypatch.setattr(sources, "ROOT", tmp_path)
    monkeypatch.setattr(lint, "FLAGS", lint.FLAGS[:-1] + [str(tmp_path)])
    for name, text in {"kernel/sched.h": "#pragma once\nvoid schedule();\n",
                       "lib/good.h": "#pragma once\ninline int one() { return 1; }\n",
                       "fs/good.cc": '#include "lib/good.h"\nint f() { return one(); }\n'}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.parametrize("rule", lint.RULES, ids=lambda rule: rule.__name__)
def test_a_good_tree_has_no_findings_and_a_bad_one_has(tree, rule):
    if lint.reason_to_skip(rule):
        pytest.skip(lint.reason_to_skip(rule))
    citations.forget()
    assert list(rule()) == []
    name, text = BROKEN[rule]
    (tree / name).write_text(text)
    citations.forget()
    assert len(list(rule())) == 1


def test_what_a_tool_left_behind_is_found(tree):
    (tree / "lib" / "good.h.orig").write_text("")
    assert list(lint.no_leftovers()) == ["lib/good.h.orig: left by a tool"]


ROOMS_OF_FS = ["fs/checkpoint", "fs/buffer", "fs", "fs/replug"]  # each knows those before it


@pytest.mark.parametrize("higher", range(4), ids=ROOMS_OF_FS)
@pytest.mark.parametrize("lower", range(4), ids=ROOMS_OF_FS)
def test_the_rooms_of_fs_are_layers(tree, higher, lower):
    for room in ROOMS_OF_FS:
        (tree / room).mkdir(exist_ok=True)
        (tree / room / "seen.h").write_text("#pragma once\n")
    (tree / ROOMS_OF_FS[higher] / "seer.cc").write_text(
        f'#include "{ROOMS_OF_FS[lower]}/seen.h"\n')
    assert bool(list(lint.layers())) == (lower > higher)


@pytest.mark.parametrize("here, there", lint.FORBIDDEN)
def test_forbidden_views_are_found(tree, here, there):
    for room in (here, there):
        (tree / room).mkdir(parents=True, exist_ok=True)
    (tree / there / "seen.h").write_text("#pragma once\n")
    (tree / here / "seer.cc").write_text(f'#include "{there}seen.h"\n')
    assert list(lint.layers())


def write_includes(tree, includes):
    for name, included in includes.items():
        (tree / name).write_text(f'#include "{included}"\n' if included else "")


@pytest.mark.parametrize("includes", CIRCLES.values(), ids=CIRCLES)
def test_circles_are_found_and_named(tree, includes):
    assert list(lint.no_circles()) == []
    write_includes(tree, includes)
    finding, = lint.no_circles()
    members = finding.split(": ")[0].split(", ")
    assert members == sorted({name.rsplit(".", 1)[0] for name in includes})
    for name, included in includes.items():
        assert not included or f"{name}:1 includes {included[:-2]}" in finding


def test_a_body_and_its_header_are_no_circle_nor_is_a_diamond(tree):
    write_includes(tree, {"lib/a.cc": "lib/a.h", "lib/a.h": "lib/b.h", "lib/c.h": "lib/b.h",
                          "lib/c.cc": "lib/a.h", "lib/b.h": "lib/good.h"})
    assert list(lint.no_circles()) == []


def test_every_circle_is_a_finding_of_its_own(tree):
    write_includes(tree, {**CIRCLES["two headers"], "fs/x.h": "fs/y.h", "fs/y.h": "fs/x.h"})
    assert [finding.split(":")[0] for finding in lint.no_circles()] == ["fs/x, fs/y", "lib/a, lib/b"]


@pytest.mark.parametrize("word", ["who", "Whoever", "whom", "nobody", "Nobody", "he", "him", "his"])
@pytest.mark.parametrize("name, form", [
    ("lib/bad.h", "// It is\n// {} that waits."), ("lib/bad.cc", "int f();  // {}"),
    ("boot/bad.asm", "nop  ; {}"), ("tools/bad.py", '"""It is {}."""'),
    ("tools/bad.py", "x = 1  # {}"), ("docs/bad.md", "It is {}."),
    ("tests/mutants/bad.patch", "Here: {}.\n\ndiff --git a/x b/x")],
    ids=["own line", "behind code", "asm", "docstring", "python", "page", "head of a patch"])
def test_a_person_in_a_comment_is_found(tree, name, form, word):
    (tree / name).parent.mkdir(parents=True, exist_ok=True)
    (tree / name).write_text(form.format(word) + "\n")
    finding, = lint.plain_words()
    assert finding.startswith(f"{name}:") and finding.endswith(f": {word}")


@pytest.mark.parametrize("name, text", [
    ("lib/good.h", "// A list whose end moves: the header, this, then."),
    ("lib/good.cc", 'const char* who = "nobody";'),
    ("tools/good.py", 'who = "nobody waits"'),
    ("docs/good.md", "`nobody waits`\n```\nwho\n```"),
    ("tests/mutants/good.patch", "Here: x.\n\ndiff --git a/x b/x\n+// nobody")])
def test_other_words_are_fine(tree, name, text):
    (tree / name).parent.mkdir(parents=True, exist_ok=True)
    (tree / name).write_text(text + "\n")
    assert list(lint.plain_words()) == []


# --- citations: a tree with the pages that they lead to, and what leads nowhere

PAGES = {
    "docs/checkpoint.md": "# It\n\n## The rules\n\n1. One.\n2. Two.\n\n## The table\n\n"
                          "| row | event | tests |\n|---|---|---|\n"
                          "| 1 | it goes | `row_1.it_goes` `test_it_goes` |\n| 2 | it comes | |\n",
    "docs/book.md": "# Names\n\n| the book's file | names | here |\n|---|---|---|\n"
                    "| `buffer.c` | `getblk` `add_request` | `fs/cache.cc` |\n",
    "fs/cache.cc": "int getblk() { return add_request() + our_own(); }\n",
    "tests/fs/row_test.cc": "TEST(row_1, it_goes) {}\n",
    "tests/qemu/test_row.py": "def test_it_goes():\n    pass\n",
    "Makefile": "all:\n",
}

CITATIONS = {  # what leads somewhere, and what does not
    "// See rule 1.": "// See rule 3.",
    "// See rules 1 and 2.": "// See rules 1, 2 and 3.",
    "// See rules 1\n// to 2.": "// See rules 1\n// to 5.",
    "// It goes (row 2).": "// It goes (row 27).",
    "// See rows 1 to 2.": "// See rows 1 to 3.",
    "// See docs/checkpoint.md, The rules.": "// See docs/checkpoint.md, No such thing.",
    "// See docs/checkpoint.md, The\n// rules of it.": "// See docs/checkpoint.md, The\n// rule of it.",
    '// See docs/checkpoint.md, "The table".': '// See docs/checkpoint.md, "The tables".',
    "// See docs/book.md.": "// See docs/books.md.",
    "// xHCI 4.6, section 3 of the standard": "// DESIGN, the map",
    "// The standard's section 5": "// §5",
    "// fs/cache.cc has it.": "// fs/cash.cc has it.",
    "// cache.cc has it.": "// fs/buffer/cache.cc has it.",
    "// cache.{cc,cc}": "// cache.{h,cc}",
    "// `fs/cache.cc`: `getblk`": "// `fs/cache.cc`: `bread`",
    "// `block::getblk` in `cache.cc`": "// `bread` in `cache.cc`",
    "// the book's add_request": "// the book's make_request",
    "// the book's add_request, and ours": "// the book's our_own",
    "// the book's buffer.c": "// the book's buffers.c",
    "// add_request has it": "// said_only_here has it",
}


@pytest.fixture(name="pages")
def make_pages(tree):
    for name, text in PAGES.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(text)
    citations.forget()
    yield tree
    citations.forget()


@pytest.mark.parametrize("good, bad", CITATIONS.items(), ids=CITATIONS)
def test_a_citation_must_lead_somewhere(pages, good, bad):
    for name in ("lib/bad.h", "docs/bad.md", "tools/bad.py"):
        for comment, findings in ((good, 0), (bad, 1)):
            (pages / name).parent.mkdir(exist_ok=True)
            (pages / name).write_text(as_comment(comment, name))
            citations.forget()
            assert len({line.split(": ")[0] for line in lint.citations_exist()}) == findings
        (pages / name).unlink()


def as_comment(text, name):
    """A comment of C++ as one of the file's language."""
    marks = {".md": "", ".py": "# "}
    return re.sub("^// ", marks.get(name[-3:], "// "), text, flags=re.MULTILINE) + "\n"


@pytest.mark.parametrize("page, good, bad", [
    ("docs/checkpoint.md", "row_1.it_goes", "row_1.it_stays"),
    ("docs/checkpoint.md", "`test_it_goes`", "`test_it_stays`"),
    ("docs/book.md", "`getblk`", "`bread`"),
    ("docs/book.md", "fs/cache.cc", "fs/good.cc")])
def test_tables_name_what_there_is(pages, page, good, bad):
    assert list(lint.citations_exist()) == []
    (pages / page).write_text(PAGES[page].replace(good, bad))
    citations.forget()
    assert list(lint.citations_exist())


def test_the_line_of_a_citation_is_told(pages):
    (pages / "lib/bad.h").write_text("#pragma once\n\n// One.\n// Two, and rule\n// 9.\n")
    citations.forget()
    assert list(lint.citations_exist()) == [
        "lib/bad.h:4: there is no rule 9 in docs/checkpoint.md"]
