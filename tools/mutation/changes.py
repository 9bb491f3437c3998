"""The mechanical changes: what a tired programmer may do to one place of a file.

Each rule yields changes of one kind. A change that does not compile is no mutant; the compiler finds
that out. kassert and static_assert are left alone: they state, they do nothing.
"""

import difflib
import hashlib
import re

from mutation.tokens import Code

WAKES = re.compile(r"wake|doorbell|make_ready|raise|notify|signal")
RELEASES = re.compile(r"free|release|drop|brelse|iput|put_|unlock|remove|forget|give|close|cancel|"
                      r"disable|detach|clear|reset|wake|let_go|discard|end_")
SHIFTED = {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "=="}
CONNECTED = {"&&": "||", "||": "&&"}
STEPS = {" + ": " - ", " - ": " + ", "++": "--", "--": "++", " += ": " -= ", " -= ": " += "}
KEYWORDS = ("if", "for", "while", "switch", "do", "return", "break", "continue", "case", "default",
            "else", "using", "static", "constexpr", "constinit", "goto", "struct", "class", "enum",
            "typedef", "template", "public", "private", "protected", "kassert", "static_assert")
KINDS = ("negated", "connective", "comparison", "one off", "flag", "dropped", "wake-up dropped",
         "error ignored", "early return", "guard removed")


class Change:
    """Bytes start to end of a file are replaced."""

    def __init__(self, name, code, kind, place, replacement):
        self.file, self.kind, self.replacement = name, kind, replacement
        self.start, self.end = place
        self.line = code.text.count("\n", 0, self.start) + 1
        self.column = self.start - code.text.rfind("\n", 0, self.start)
        self.old = code.text[self.start:self.end]
        self.in_function = code.is_in_function(self.start)
        # Lines stay where they are.
        self.replacement += "\n" * (self.old.count("\n") - replacement.count("\n"))

    @property
    def name(self):
        """Finds it again in the same tree: file:line:column:kind:mark of the replacement."""
        mark = hashlib.sha256(self.replacement.encode()).hexdigest()[:4]
        return f"{self.file}:{self.line}:{self.column}:{self.kind.replace(' ', '-')}:{mark}"

    def applied(self, text):
        return text[:self.start] + self.replacement + text[self.end:]

    def lines(self, text):
        """Its lines before and after, without the space around them."""
        first = text.rfind("\n", 0, self.start) + 1
        last = text.find("\n", self.end)
        return (" ".join(text[first:last].split()),
                " ".join((text[first:self.start] + self.replacement + text[self.end:last]).split()))

    def diff(self, text):
        return "".join(difflib.unified_diff(text.splitlines(True),
                                            self.applied(text).splitlines(True),
                                            f"a/{self.file}", f"b/{self.file}", n=1))


def changes(name, text):
    """Every mechanical change of a file, in the order of the rules."""
    code = Code(text, is_header=name.endswith(".h"))
    hidden = stating(code)
    for rule in RULES:
        for kind, start, end, replacement in rule(code):
            if not any(first <= start < last for first, last in hidden):
                yield Change(name, code, kind, (start, end), replacement)


def stating(code):
    """(start, end) of the assertions."""
    found = []
    for index, token in enumerate(code.tokens[:-1]):
        if token.text in ("kassert", "static_assert") and index + 1 in code.pair:
            found.append((token.start, code.tokens[code.pair[index + 1]].end))
    return found


def negated(code):
    """Conditions of if and while; a `!` taken away."""
    for index, token in enumerate(code.tokens[:-1]):
        if token.text in ("if", "while") and code.in_function[index]:
            opening = index + (2 if code.tokens[index + 1].text == "constexpr" else 1)
            if opening in code.pair:
                yield from _condition_negated(code, opening)
        elif token.text == "!" and code.in_function[index]:
            yield "negated", token.start, token.end, ""


def _condition_negated(code, opening):
    closing = code.pair[opening]
    first = opening + 1
    for index in range(first, closing):
        if code.tokens[index].text == ";" and code.around[index] == opening:
            first = index + 1
    inside = [i for i in range(first, closing) if code.around[i] == opening]
    if not inside:
        return
    start, end = code.tokens[first].start, code.tokens[closing - 1].end
    written = code.text[start:end]
    if any(code.tokens[i].text == "=" for i in inside):
        name = next(code.tokens[i - 1].text for i in inside if code.tokens[i].text == "=")
        yield "negated", start, end, f"{written}; !{name}"
    else:
        yield "negated", start, end, f"!({written})"


def connectives(code):
    for index, token in enumerate(code.tokens):
        if token.text in CONNECTED and code.in_function[index] and spaced(code, token):
            yield "connective", token.start, token.end, CONNECTED[token.text]


def comparisons(code):
    for index, token in enumerate(code.tokens):
        if token.text in SHIFTED and code.in_function[index] and spaced(code, token):
            yield "comparison", token.start, token.end, SHIFTED[token.text]


def spaced(code, token):
    """A binary operator, as clang-format writes it."""
    return code.text[token.start - 1].isspace() and code.text[token.end:token.end + 1].isspace()


def one_off(code):
    """Numbers, and the direction of a step."""
    for index, token in enumerate(code.tokens):
        written = code.text[token.start - 1:token.end + 1]
        if token.kind == "number" and (code.in_function[index] or code.has_constant(token)):
            for other in neighbours(token.text):
                yield "one off", token.start, token.end, other
        elif code.in_function[index] and written in STEPS:
            yield "one off", token.start - 1, token.end + 1, STEPS[written]
        elif code.in_function[index] and token.text in ("++", "--"):
            yield "one off", token.start, token.end, STEPS[token.text]


def neighbours(number):
    """n + 1 and n - 1, but half of a duration."""
    value, suffix = re.fullmatch(r"(0[xX][0-9a-fA-F']+|0[bB][01']+|[\d']+)(\w*)", number).groups()
    plain = int(value.replace("'", ""), 0) if not re.fullmatch(r"0[0-7']+", value) else \
        int(value.replace("'", ""), 8)
    if suffix.startswith("_"):
        return [f"{plain // 2}{suffix}"] if plain else []
    written = hex if value[:2].lower() == "0x" else str
    return [written(plain + 1) + suffix] + ([written(plain - 1) + suffix] if plain else [])


def flags(code):
    other = {"true": "false", "false": "true"}
    for index, token in enumerate(code.tokens):
        if token.text in other and code.in_function[index]:
            yield "flag", token.start, token.end, other[token.text]


def statements(code):
    """(first, semicolon) of the simple statements, by index."""
    for index, token in enumerate(code.tokens):
        block = code.block_around(index)
        if block is None or token.text in ("{", "}", ";", ")", "else") or not begins(code, index):
            continue
        end = code.end_of_statement(index)
        if end is not None and token.text not in KEYWORDS:
            yield index, end


def begins(code, index):
    """Whether a statement begins at this token."""
    before = code.tokens[index - 1]
    if before.text in (";", "else", "do"):
        return True
    if before.text == "{":
        return index - 1 in code.blocks
    if before.text == "}":
        return code.pair[index - 1] in code.blocks
    if before.text == ")":
        head = code.tokens[code.pair[index - 1] - 1].text
        return head in ("if", "for", "while")
    return False


def declared(code, first, end):
    """The name that a statement declares, or None if it declares none."""
    if code.tokens[first].kind != "name":
        return None
    depth = 0
    for index in range(first, end + 1):
        token, before = code.tokens[index], code.tokens[index - 1]
        depth += (token.text == "<") - (token.text == ">")
        if depth == 0 and token.text in ("=", "(", "{", ";", ".", "->", "["):
            pointed = before.kind == "name" and index - 2 >= first and (
                code.tokens[index - 2].kind == "name" or
                code.tokens[index - 2].text in (">", "*", "&", "&&"))
            return before.text if pointed else None
    return None


def dropped(code):
    """Statements that do something; TRY without what it does when that fails."""
    for first, end in statements(code):
        start, stop = code.tokens[first].start, code.tokens[end].end
        written = code.text[start:stop]
        if declared(code, first, end):
            continue
        yield "wake-up dropped" if WAKES.search(written) else "dropped", start, stop, ";"
        if code.tokens[first].text == "TRY" and code.pair.get(first + 1) == end - 1:
            yield ("error ignored", start, stop,
                   f"static_cast<void>({code.text[code.tokens[first + 1].end:stop - 2]});")


def early(code):
    """A return before something is given back."""
    for first, end in statements(code):
        written = code.text[code.tokens[first].start:code.tokens[end].end]
        if RELEASES.search(written) and not declared(code, first, end):
            start = code.tokens[first].start
            for value in ("return;", "return {};"):
                yield "early return", start, start, f"{{ {value} }} " \
                    if code.tokens[first - 1].text not in (")", "else", "do") else f"{value} "


def unguarded(code):
    """`if (…) return …;` taken away, and objects that only their scope needs."""
    for index, token in enumerate(code.tokens[:-1]):
        if token.text == "if" and index + 1 in code.pair and code.in_function[index]:
            after = code.pair[index + 1] + 1
            if code.tokens[after].text in ("return", "continue", "break"):
                end = code.end_of_statement(after)
                if end is not None and code.tokens[end + 1].text != "else":
                    yield "guard removed", token.start, code.tokens[end].end, ";"
    for first, end in statements(code):
        name = declared(code, first, end)
        if name and not _used_later(code, name, first, end):
            yield "guard removed", code.tokens[first].start, code.tokens[end].end, ";"


def _used_later(code, name, first, end):
    closing = code.pair[code.block_around(first)]
    return any(token.text == name for token in code.tokens[end:closing])


RULES = (negated, connectives, comparisons, one_off, flags, dropped, early, unguarded)
