"""QMP, the QEMU Machine Protocol: one JSON object a line, answers and events mixed.

A small client of our own, since the tools use nothing but Python's standard library.
"""

import json
import socket
import time


class QmpError(Exception):
    """QEMU refused a command, or is gone."""


class Qmp:
    def __init__(self, connection):
        """Speaks over a connected socket; the greeting is awaited."""
        self._socket = connection
        self._buffer = b""
        self._events = []
        self._receive(time.monotonic() + 30)
        self.command("qmp_capabilities")

    @classmethod
    def connect(cls, path):
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(str(path))
        except OSError:
            connection.close()
            raise
        return cls(connection)

    def close(self):
        self._socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def command(self, name, timeout=60, **arguments):
        """Executes a command and returns what QEMU answers. "_" in names of arguments means "-"."""
        message = {"execute": name}
        if arguments:
            message["arguments"] = {key.replace("_", "-"): value
                                    for key, value in arguments.items()}
        try:
            self._socket.sendall(json.dumps(message).encode() + b"\n")
        except OSError as error:
            raise QmpError(f"{name}: QEMU is gone ({error})") from error
        deadline = time.monotonic() + timeout
        while True:
            answer = self._receive(deadline)
            if "error" in answer:
                raise QmpError(f"{name}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]
            self._events.append(answer)

    def wait_event(self, name, timeout=30, **data):
        """Waits for an event whose data contains `data`; earlier ones that were kept count."""
        deadline = time.monotonic() + timeout
        while True:
            for index, event in enumerate(self._events):
                if event.get("event") == name and data.items() <= event.get("data", {}).items():
                    return self._events.pop(index)
            self._events.append(self._receive(deadline))

    def fileno(self):
        """For select: readable when there may be events()."""
        return self._socket.fileno()

    def events(self):
        """The events that have come, without waiting for any."""
        self._socket.settimeout(0)
        try:
            while received := self._socket.recv(65536):
                self._buffer += received
        except OSError:
            pass
        *lines, self._buffer = self._buffer.split(b"\n")
        self._events += [json.loads(line) for line in lines]
        events, self._events = self._events, []
        return events

    def forget_events(self):
        self._events.clear()

    def _receive(self, deadline):
        while b"\n" not in self._buffer:
            self._socket.settimeout(max(deadline - time.monotonic(), 0.01))
            try:
                received = self._socket.recv(65536)
            except socket.timeout as error:
                raise QmpError("QEMU does not answer in time") from error
            except OSError as error:
                raise QmpError(f"QEMU is gone ({error})") from error
            if not received:
                raise QmpError("QEMU has ended")
            self._buffer += received
        line, self._buffer = self._buffer.split(b"\n", 1)
        return json.loads(line)
