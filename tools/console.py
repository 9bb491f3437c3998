"""The other end of the kernel's serial line: says what is typed, waits for what is printed."""

import re
import threading
import time

PROMPT = "# "
# Layout, not text: colours, cursor movements, carriage returns before a line's end, and the " \r"
# by which the line editor makes a terminal wrap.
_LAYOUT = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r(?=\n)| \r(?=[^\n])")


class ConsoleError(Exception):
    """What was expected did not come; the message shows what came instead."""


class Console:
    def __init__(self, connection, echo=None):
        """Reads the socket `connection` all the time, so that the kernel never waits for us.

        echo: a text stream that shows everything as it arrives.
        """
        self._socket = connection
        self._echo = echo
        self._raw = bytearray()
        self._position = 0  # how much of the text has been matched
        self._closed = False
        self._changed = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        while True:
            try:
                received = self._socket.recv(65536)
            except OSError:
                received = b""
            with self._changed:
                self._raw += received
                self._closed = not received
                self._changed.notify_all()
            if not received:
                return
            if self._echo:
                self._echo.write(received.decode("latin-1"))
                self._echo.flush()

    @property
    def text(self):
        """Everything that was printed since the start, without layout."""
        with self._changed:
            return _LAYOUT.sub("", self._raw.decode("latin-1"))

    @property
    def length(self):
        """How many characters have come, layout included: for text_since()."""
        with self._changed:
            return len(self._raw)

    def text_since(self, length):
        """What has come since then, without layout; quick when it is little."""
        with self._changed:
            return _LAYOUT.sub("", self._raw[length:].decode("latin-1"))

    def send(self, text):
        self._socket.sendall(text.encode("latin-1"))

    def expect(self, pattern, timeout=60):
        """Waits until the regular expression matches after the last match. ^ is a line's start."""
        compiled = re.compile(pattern, re.MULTILINE)
        match = None

        def find(text):
            nonlocal match
            match = compiled.search(text, self._position)
            return match and match.end()
        self._wait(find, pattern, timeout)
        return match

    def seen(self, pattern):
        """Whether it was printed at any time."""
        return re.search(pattern, self.text, re.MULTILINE) is not None

    def wait_seen(self, pattern, since=0, timeout=60):
        """Waits until it has been printed since index `since` of the text, whatever else was waited
        for; what expect() looks at stays as it is."""
        compiled = re.compile(pattern, re.MULTILINE)
        position, match = self._position, None

        def find(text):
            nonlocal match
            match = compiled.search(text, since)
            return match and position
        self._wait(find, pattern, timeout)
        return match

    def wait_prompt(self, timeout=60):
        return self.expect("^" + PROMPT, timeout)

    def run(self, command, timeout=60):
        """Types a command at the prompt, waits for the next prompt, returns what was printed."""
        self.start(command)
        before = self._position
        end = self.wait_prompt(timeout)
        return self.text[before:end.start()]

    def start(self, command, timeout=60):
        """Types a command and waits only until the shell has read it."""
        self.send(command + "\n")
        self._wait(lambda text: _end_of_echo(text, self._position, command), command, timeout)

    def _wait(self, find, what, timeout):
        """Waits until find(text) is an index, which is then the position."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while True:
                text = _LAYOUT.sub("", self._raw.decode("latin-1"))
                found = find(text)
                if found is not None:
                    self._position = found
                    return text
                left = deadline - time.monotonic()
                if self._closed or left <= 0:
                    reason = "the machine has ended" if self._closed else f"waited {timeout:g} s"
                    raise ConsoleError(f"{reason}, expecting {what!r}; the console's end:\n"
                                       + _indented(text[-3000:]))
                self._changed.wait(min(left, 1))


def _end_of_echo(text, position, command):
    """Where the line ends in which `command` was echoed, None if it has not been.

    The kernel may speak at any moment, so that the echo can be cut by the rest of a line that is
    not ours: after every character of ours, the text may go on with such a rest. What was typed
    ahead is echoed twice: in part by the terminal, then whole behind the shell's prompt.
    """
    ours, foreign = {0}, set()  # how much of the command may have been seen, in which kind of text
    for index in range(position, len(text)):
        character = text[index]
        if text.endswith(PROMPT, position, index):
            ours = ours | {0}
        if character == "\n":
            if len(command) in ours | foreign:
                return index + 1
            ours, foreign = ours | foreign, set()
            continue
        foreign = ours | foreign
        ours = {seen + 1 for seen in ours if command[seen:seen + 1] == character}
    return None


def _indented(text):
    return "\n".join("  | " + line for line in text.splitlines())
