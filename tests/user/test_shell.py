"""The shell's language: what a script prints, and how it ends."""

import subprocess

import pytest

from root_tree import SHELL

CASES = {
    "words": ("echo a   b 'c  d' \"e  f\" g\\ h", "a b c  d e  f g h\n"),
    "comment": ("echo a#b # c", "a#b\n"),
    "variables": ("X=5; echo $X ${X}y \"$X\" '$X' \\$X", "5 5y 5 $X $X\n"),
    "defaults": ("echo ${A:-x} ${A-y} ${A:=z} $A ${A:+set} ${#A}", "x y z z set 1\n"),
    "splitting": ("X='a  b'; echo $X \"$X\"", "a b a  b\n"),
    "empty words": ("X=; set -- $X '' \"$X\"; echo $#", "2\n"),
    "arguments": ("set -- a 'b c' d; for x in \"$@\"; do echo \"<$x>\"; done; shift 2; echo $# $1",
                  "<a>\n<b c>\n<d>\n1 d\n"),
    "status": ("false; echo $?; true; echo $?; sh -c 'exit 7'; echo $?", "1\n0\n7\n"),
    "and or": ("true && echo a || echo b; false && echo c || echo d; ! false && echo e",
               "a\nd\ne\n"),
    "if": ("if false; then echo a; elif true; then echo b; else echo c; fi", "b\n"),
    "if else": ("if [ 1 -gt 2 ]\nthen echo a\nelse\necho c\nfi", "c\n"),
    "while": ("i=0; while [ $i -lt 3 ]; do i=$((i+1)); echo $i; done", "1\n2\n3\n"),
    "until": ("i=0; until [ $i = 2 ]; do i=$((i + 1)); done; echo $i", "2\n"),
    "for": ("for i in a b c; do echo $i; done", "a\nb\nc\n"),
    "break": ("for i in 1 2 3; do [ $i = 3 ] && break; [ $i = 1 ] && continue; echo $i; done",
              "2\n"),
    "break 2": ("for i in 1 2; do for j in 1 2; do echo $i$j; break 2; done; done; echo end",
                "11\nend\n"),
    "break in eval": ("for i in 1 2; do eval 'break; echo no'; echo no; done; echo end", "end\n"),
    "case": ("case abc in x) echo 1;; a*|b) echo 2;; *) echo 3;; esac", "2\n"),
    "group": ("{ echo a; echo b; } | wc -l", "2\n"),
    "subshell": ("X=1; (X=2; echo $X; exit 3); echo $? $X", "2\n3 1\n"),
    "pipe": ("echo c b a | cat | grep -c b", "1\n"),
    "pipe status": ("true | false; echo $?; false | true; echo $?", "1\n0\n"),
    "substitution": ("echo $(echo a; echo b)-`echo c`; X=$(false); echo $?", "a b-c\n1\n"),
    "nested substitution": ("echo $(echo $(echo ')' \"a)\"))", ") a)\n"),
    "arithmetic": ("echo $((1 + 2 * 3)) $(( (1+2)*3 )) $((7/2)) $((7%2)) $((1<<4)) $((3>2)) "
                   "$((-5/2)) $((0x10)) $((1&&0))", "7 9 3 1 16 1 -2 16 0\n"),
    "here-document": ("X=5; cat <<E\na $X\n'b' \\$X\nE\necho end", "a 5\n'b' $X\nend\n"),
    "quoted here-document": ("cat <<'E'\na $X\nE", "a $X\n"),
    "two here-documents": ("cat <<A; cat <<B\n1\nA\n2\nB", "1\n2\n"),
    "redirections": ("echo a > f; echo b >> f; cat < f; cat nothing 2> e; grep -c nothing e",
                     "a\nb\n1\n"),
    "2>&1": ("{ echo out; echo err >&2; } > f 2>&1; cat f", "out\nerr\n"),
    "restored": ("echo a > f; echo b", "b\n"),
    "patterns": ("touch b a .c; mkdir d; touch d/x; echo * '*' [a-b] ? .* d/* q* \"\"[!a]",
                 "a b d * a b a b d . .. .c d/x q* b d\n"),
    "quoted pattern": ("touch ab; X='a*'; echo $X \"$X\" 'a'* \"a*\"", "ab a* ab a*\n"),
    "tilde": ("echo ~ ~/x '~'", "/ //x ~\n"),
    "read": ("printf='1 2 3'; echo $printf | { read a b; echo \"$a|$b\"; }", "1|2 3\n"),
    "eval": ("X='echo $Y'; Y=z; eval $X", "z\n"),
    "source": ("echo 'X=sourced' > f; . ./f; echo $X", "sourced\n"),
    "export": ("X=1; sh -c 'echo [$X]'; export X; sh -c 'echo [$X]'; Y=2 sh -c 'echo $Y'; echo [$Y]",
               "[]\n[1]\n2\n[]\n"),
    "wait": ("sleep 0.2 & wait; echo done; sh -c 'exit 5' & wait $!; echo $?", "done\n5\n"),
    "background": ("echo a & wait", "a\n"),
    "cd": ("mkdir d; cd d; echo x > y; cd ..; cat d/y", "x\n"),
    "set -e": ("set -e; false || echo a; if false; then :; fi; false; echo b", "a\n"),
    "exec": ("exec > f; echo a; exec cat f >&2", ""),
    "test": ("[ a = a ] && [ ! a = b ] && [ 2 -lt 10 ] && [ -d / ] && [ -z '' -a -n x ] && echo yes",
             "yes\n"),
    "continued": ("echo a \\\n b", "a b\n"),
    "script": ("echo 'echo $0 $1 $#' > s; sh s x y", "s x 2\n"),
}


@pytest.mark.parametrize("name", CASES)
def test_language(sh, name):
    script, expected = CASES[name]
    assert sh(script).stdout == expected


@pytest.mark.parametrize("script, status, message", [
    ("nosuchprogram", 127, "sh: nosuchprogram: not found\n"),
    ("./nosuchprogram", 127, "sh: ./nosuchprogram: No such file or directory\n"),
    ("echo > /no/where", 1, "sh: /no/where: No such file or directory\n"),
    ("if true; then echo a", 2, "sh: syntax error: the command is not complete\n"),
    ("echo 'a", 2, "sh: syntax error: missing '\n"),
    ("echo a; fi", 2, "sh: syntax error near: fi\n"),
    ("a | | b", 2, "sh: syntax error near: |\n"),
    ("cd /nowhere", 1, "sh: /nowhere: No such file or directory\n"),
    ("echo $((1/0))", 0, "sh: arithmetic: division by zero\n"),
    ("echo x > /dev/full", 1, "sh: echo: No space left on device\n"),
    ("[ 1 -eq x ]", 2, "sh: x: not a number\n"),
])
def test_messages(sh, script, status, message):
    done = sh(script)
    assert (done.returncode, done.stderr) == (status, message)


def test_many_turns_need_no_more_memory(sh):
    assert sh("ulimit=; i=0; while [ $i -lt 30000 ]; do i=$((i + 1)); done; echo $i").stdout == "30000\n"


def test_script_from_input_shares_it_with_programs(environment, tmp_path):
    done = subprocess.run([SHELL], input="read a\nhello\necho got $a\nhead -n 1\nline\n", text=True,
                          capture_output=True, cwd=tmp_path, env=environment, timeout=60)
    assert done.stdout.startswith("got hello\n")


def test_script_with_interpreter_line(sh, tmp_path):
    script = tmp_path / "script"
    script.write_text(f"#!{SHELL}\necho $1 is $0\n")
    script.chmod(0o755)
    assert sh("./script a").stdout == "a is ./script\n"
