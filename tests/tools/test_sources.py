"""tools/sources.py must tell code, strings and comments apart: the lint's rules rest on it."""

import pytest
import sources

CPP = """\
// one
// two
int f();  // three
/* four
   five */
const char* url = "http://six";
const char* raw = R"(// seven "
// eight)";
char quote = '"';  // nine
int big = 1'000'000;  // ten
"""


def test_code_has_neither_comments_nor_what_strings_say():
    code = dict(sources.code_lines(CPP))
    assert code[3].rstrip() == "int f();"
    assert code[6] == f'const char* url = "{" " * 10}";'
    assert code[10].rstrip() == "int big = 1'000'000;"
    for line in code.values():
        assert not any(word in line for word in ("one", "four", "five", "six", "seven", "eight"))


def test_comments_of_cpp():
    assert sources.comment_lines("a.cc", CPP) == {
        1: "one", 2: "two", 3: "three", 4: "four", 5: "five", 9: "nine", 10: "ten"}


@pytest.mark.parametrize("name, text, comments", [
    ("a.py", '"""one\ntwo"""\nx = "# no"  # three\ndef f():\n    """four"""\n    return "five"\n',
     {1: "one", 2: "two", 3: "three", 5: "four"}),
    ("a.asm", "mov eax, 1  ; one\n; two\ndb 'a;b'\n", {1: "one", 2: "two"}),
    ("Makefile", "# one\nall: a  ## two\n\techo '# no'\n", {1: "one", 2: "two"}),
    ("a.ld", "/* one */ x = 1;\n", {1: "one"}),
    ("a.patch", "one\n\ndiff --git a b\n+// no\n", {1: "one", 2: ""}),
])
def test_comments_of_other_languages(name, text, comments):
    assert {line: comment.strip() for line, comment in sources.comment_lines(name, text).items()
            } == comments


def test_words_of_code_are_not_those_of_comments(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "ROOT", tmp_path)
    (tmp_path / "a.cc").write_text(CPP)
    assert {"f", "url", "six", "big"} <= sources.words_of_code("a.cc")
    assert not {"one", "three", "four", "five", "ten"} & sources.words_of_code("a.cc")


def test_neighbouring_comments_are_one(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "ROOT", tmp_path)
    (tmp_path / "a.cc").write_text(CPP)
    assert list(sources.comment_blocks("a.cc")) == [(1, "one\ntwo\nthree\nfour\nfive"),
                                                     (9, "nine\nten")]
