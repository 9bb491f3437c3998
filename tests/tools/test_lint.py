"""Every rule of tools/lint.py must be able to fail: each gets a source that breaks it."""

import lint
import pytest
import sources

BROKEN = {
    lint.layers: ("fs/bad.cc", '#include "kernel/sched.h"\n'),
    lint.machine_access: ("fs/bad.cc", 'void f() { asm volatile("cli"); }\n'),
    lint.no_build_switches: ("lib/bad.h", "#pragma once\n#ifdef HOST\n#endif\n"),
    lint.headers_alone: ("lib/bad.h", "#pragma once\ninline u32 f() { return 1; }\n"),
    lint.formatting: ("lib/bad.h", "#pragma once\nint   f( );\n"),
    lint.no_leftovers: ("lib/bad.cc", "// TO" + "DO: later\n"),
    lint.short_functions: ("lib/bad.cc", "int f() {\n" + "  g();\n" * 80 + "}\n"),
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
    assert list(rule()) == []
    name, text = BROKEN[rule]
    (tree / name).write_text(text)
    assert len(list(rule())) == 1


@pytest.mark.parametrize("here, there", lint.FORBIDDEN)
def test_forbidden_views_are_found(tree, here, there):
    for room in (here, there):
        (tree / room).mkdir(parents=True, exist_ok=True)
    (tree / there / "seen.h").write_text("#pragma once\n")
    (tree / here / "seer.cc").write_text(f'#include "{there}seen.h"\n')
    assert list(lint.layers())
