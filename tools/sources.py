"""The project's sources as the lint reads them: the files, their code, their comments."""

import ast
import io
import re
import subprocess
import tokenize
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# A string or a comment of C++, whichever begins first.
CPP_TOKEN = re.compile(r'R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"'
                       r"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'"
                       r"|//[^\n]*|/\*.*?\*/", re.DOTALL)
# Where there is something to read for people.
COMMENTED = (".h", ".cc", ".asm", ".py", ".mk", "Makefile", ".sh", ".ld", ".md", ".patch")
LINE_COMMENT = {".asm": ";", ".mk": "#", ".sh": "#", "Makefile": "#", ".ld": None}


def listed(*endings):
    """The project's own files, as git sees them, with these endings."""
    result = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, check=False,
                            capture_output=True, text=True)
    names = result.stdout.split("\n") if result.returncode == 0 else [
        path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*")
        if not path.relative_to(ROOT).parts[0].startswith(("build", "."))]
    return sorted(name for name in names if name.endswith(endings or "") and (ROOT / name).is_file())


def text_of(name):
    return (ROOT / name).read_text(encoding="utf-8")


def blank(text):
    """Spaces in place of everything but line ends."""
    return re.sub(r"[^\n]", " ", text)


def code_lines(text):
    """(number, line) of C++ with comments and string literals blanked."""
    def hide(match):
        token = match.group()
        if token.startswith("/"):
            return blank(token)
        return token[0] + blank(token[1:-1]) + token[-1]
    return enumerate(CPP_TOKEN.sub(hide, text).split("\n"), 1)


def comment_lines(name, text):
    """{line: the text of its comment}. A page (.md) and the head of a patch are all comment."""
    if name.endswith((".h", ".cc", ".c", ".ld")):
        return _cpp_comments(text)
    if name.endswith(".py"):
        return _python_comments(text)
    if name.endswith(".md"):
        return dict(enumerate(text.split("\n"), 1))
    if name.endswith(".patch"):
        return dict(enumerate(text.partition("\ndiff --git ")[0].split("\n"), 1))
    return _line_comments(text, next((mark for ending, mark in LINE_COMMENT.items()
                                      if name.endswith(ending)), "#"))


def words_of_code(name):
    """Every word of a file that does not stand in a comment."""
    text = text_of(name)
    comments = comment_lines(name, text)
    return {word for number, line in enumerate(text.split("\n"), 1)
            for word in re.findall(r"\w+", line.replace(comments.get(number) or "\0", ""))}


def comment_blocks(name):
    """(first line, text): the comments of a file; those of neighbouring lines are one."""
    lines = comment_lines(name, text_of(name))
    block, start = [], None
    for number in sorted(lines):
        if block and number != start + len(block):
            yield start, "\n".join(block)
            block = []
        if not block:
            start = number
        block.append(lines[number])
    if block:
        yield start, "\n".join(block)


def _spread(lines, first, text):
    for offset, line in enumerate(text.split("\n")):
        lines[first + offset] = (lines.get(first + offset, "") + " " + line).strip()


def _cpp_comments(text):
    lines = {}
    for match in CPP_TOKEN.finditer(text):
        if match.group().startswith("/"):
            _spread(lines, text.count("\n", 0, match.start()) + 1,
                    re.sub(r"^//+ ?|^/\*+|\*/$", "", match.group()))
    return lines


def _line_comments(text, mark):
    found = re.compile(rf"(?:^|\s){re.escape(mark)}+ ?(.*)")
    lines = {}
    for number, line in enumerate(text.split("\n"), 1):
        without_strings = re.sub(r'"[^"]*"|\'[^\']*\'', lambda m: "~" * len(m.group()), line)
        if match := found.search(without_strings):
            lines[number] = line[match.start(1):]
    return lines


def _python_comments(text):
    lines = {}
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            lines[token.start[0]] = token.string.lstrip("# ")
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) or not node.body:
            continue
        first = node.body[0]
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(
                first.value.value, str):
            _spread(lines, first.lineno, "\n".join(
                text.split("\n")[first.lineno - 1:first.end_lineno]).replace('"""', ""))
    return lines
