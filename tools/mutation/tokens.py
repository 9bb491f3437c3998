"""C++ as a sequence of tokens with their places, and which braces hold code.

Enough for small changes of formatted code, no parser: what a change makes of a program, the compiler
judges. (libclang would parse it, but the one of Debian 12, 14, does not know <expected>.)
"""

import bisect
import re

TOKEN = re.compile(r"""
    (?P<space>\s+|//[^\n]*|/\*.*?\*/|^[ \t]*\#(?:\\\n|[^\n])*)
  | (?P<text>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])+')
  | (?P<number>(?:0[xX][0-9a-fA-F']+|0[bB][01']+|\d[\d']*)\w*)
  | (?P<name>[A-Za-z_]\w*)
  | (?P<sign><<=|>>=|<=>|->\*|\.\.\.|::|->|\+\+|--|<<|<=|>=|==|!=|&&|\|\||[-+*/%&|^]=|.)
""", re.VERBOSE | re.DOTALL | re.MULTILINE)
CLOSING = {"(": ")", "[": "]", "{": "}"}


class Token:
    def __init__(self, kind, text, start, end, line):
        self.kind, self.text, self.start, self.end, self.line = kind, text, start, end, line

    def __repr__(self):
        return f"{self.text!r}@{self.line}"


class Code:
    """The tokens of a file. pair[i]: the index of the bracket that belongs to bracket i; around[i]:
    the index of the bracket that token i stands in, or -1; in_function[i]: within a body."""

    def __init__(self, text, is_header=False):
        self.text, self.is_header = text, is_header
        self.tokens = list(scan(text))
        self.pair, self.around, self.in_function, self.blocks = {}, [], [], set()
        self._nest()

    def _nest(self):
        stack = []
        for index, token in enumerate(self.tokens):
            if token.text in (")", "]", "}") and stack:
                opening = stack.pop()
                self.pair[opening], self.pair[index] = index, opening
            inside = bool(stack) and any(i in self.blocks for i in stack)
            self.around.append(stack[-1] if stack else -1)
            self.in_function.append(inside)
            if token.text in CLOSING:
                if token.text == "{" and self._opens_block(index, inside):
                    self.blocks.add(index)
                stack.append(index)

    def _opens_block(self, index, inside):
        """Whether this brace begins a body or a compound statement, not a class or a value."""
        before = self.tokens[index - 1].text if index else ""
        if before in (")", "]", "noexcept", "override", "const", "mutable"):
            return True
        if inside:
            return before in ("else", "do", ";", "{", "}", ":")
        return before == "}" and self._ends_initializers(index - 1)

    def _ends_initializers(self, brace):
        """Whether the value before this body belongs to the initializers of a constructor."""
        opening = self.pair.get(brace)
        return (opening is not None and opening not in self.blocks and
                self.tokens[opening - 1].kind == "name" and
                self.tokens[opening - 2].text in (",", ":"))

    def block_around(self, index):
        """The index of the brace of the block that a token stands in directly, or None."""
        around = self.around[index]
        return around if around in self.blocks else None

    def has_constant(self, token):
        """A number in the definition of a constant on one line of a .cc file. (Those of a header are
        the tests' constants, too: a test cannot tell them from others.)"""
        line = self.text[self.text.rfind("\n", 0, token.start) + 1:token.start]
        return not self.is_header and bool(
            re.match(r"\s*(static |inline )*constexpr [\w:<>]+ \w+ =", line))

    def is_in_function(self, place):
        """Whether the token at or behind this byte stands in a body."""
        index = bisect.bisect_left(self.tokens, place, key=lambda token: token.start)
        return self.in_function[min(index, len(self.tokens) - 1)]

    def end_of_statement(self, index):
        """The index of the semicolon that ends the statement that begins at `index`, or None."""
        while index < len(self.tokens):
            token = self.tokens[index]
            if token.text == ";":
                return index
            if token.text in (")", "]", "}"):
                return None
            index = self.pair.get(index, len(self.tokens)) + 1 if token.text in CLOSING \
                else index + 1
        return None


def scan(text):
    line, place = 1, 0
    for match in TOKEN.finditer(text):
        line += text.count("\n", place, match.start())
        place = match.start()
        if match.lastgroup != "space":
            yield Token(match.lastgroup, match.group(), match.start(), match.end(), line)
