#!/usr/bin/python3
"""Records what a command prints on a terminal, as an SVG in which each line appears when it was
printed.

    tools/record.py docs/demo.svg make demo

Nothing is drawn that was not printed, and nothing at another time than it was. Understands what our
tools print: lines, bold, one colour.
"""

import html
import os
import pty
import re
import sys
import time

COLUMNS = 100
FONT, LINE, MARGIN = 13, 18, 14
HOLD = 8  # seconds that the whole stays before it starts again
STYLES = {"1": "b", "36": "c"}


def record(command):
    """[(seconds since the start, line)] of a command on a terminal, and its exit status."""
    began = time.monotonic()
    child, terminal = pty.fork()
    if child == 0:
        os.environ.update(TERM="xterm", COLUMNS=str(COLUMNS))
        os.execvp(command[0], command)
    lines, rest = [], b""
    while True:
        try:
            received = os.read(terminal, 65536)
        except OSError:
            break
        if not received:
            break
        os.write(sys.stdout.fileno(), received)
        *complete, rest = (rest + received).split(b"\n")
        now = time.monotonic() - began
        lines += [(now, line.decode().rstrip("\r")) for line in complete]
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return lines, status


def spans(line):
    """A line with terminal colours as SVG text."""
    result, style = "", None
    for part in re.split(r"(\x1b\[[0-9;]*m)", line):
        if part.startswith("\x1b["):
            style = STYLES.get(part[2:-1])
        elif part:
            text = html.escape(part[:COLUMNS])
            result += f'<tspan class="{style}">{text}</tspan>' if style else text
    return result


def draw(command, lines):
    lines = [(0.0, f"\x1b[1m$ {' '.join(command)}\x1b[0m")] + lines
    width = MARGIN * 2 + round(COLUMNS * FONT * 0.6)
    height = MARGIN * 2 + LINE * len(lines)
    length = lines[-1][0] + HOLD
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
           f'width="{width}" height="{height}">',
           f'<style>text{{font:{FONT}px ui-monospace,Menlo,Consolas,"DejaVu Sans Mono",monospace;'
           'fill:#d8dee9;white-space:pre}.b{font-weight:bold;fill:#ffffff}.c{fill:#88c0d0}']
    # Every line is there, and hidden until its time in each round.
    for number, (when, _) in enumerate(lines):
        share = 100 * when / length
        if share:
            out.append(f'@keyframes k{number}{{0%,{share:.2f}%{{opacity:0}}'
                       f'{share + 0.01:.2f}%,100%{{opacity:1}}}}'
                       f'#l{number}{{animation:k{number} {length:.1f}s linear infinite}}')
    out.append(f'</style><rect width="{width}" height="{height}" rx="8" fill="#20242c"/>')
    for number, (_, line) in enumerate(lines):
        out.append(f'<text id="l{number}" x="{MARGIN}" y="{MARGIN + LINE * number + FONT}" '
                   f'xml:space="preserve">{spans(line)}</text>')
    return "\n".join(out) + "\n</svg>\n"


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    path, command = sys.argv[1], sys.argv[2:]
    lines, status = record(command)
    if status:
        sys.exit(f"{' '.join(command)} ended with status {status}: nothing is recorded")
    with open(path, "w", encoding="utf-8") as file:
        file.write(draw(command, lines))


if __name__ == "__main__":
    main()
