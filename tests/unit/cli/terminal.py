"""Run a command on a terminal of its own, and act as its shell and its user. See test_launch."""

import json
import os
import pty
import signal
import sys


def main(command: list[str]) -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(command[0], command)
    read_until(terminal, b"ready")
    for _ in range(5):
        os.write(terminal, b"\x03")  # Ctrl+C: the terminal sends SIGINT to the whole group
        read_until(terminal, b"interrupted")
    os.write(terminal, b"go on\n")
    _, status = os.waitpid(pid, os.WUNTRACED)
    stopped = os.WIFSTOPPED(status)
    os.killpg(pid, signal.SIGCONT)  # what `fg` does
    os.write(terminal, b"go on\n")
    _, status = os.waitpid(pid, 0)
    ended = {"stopped": stopped, "code": os.waitstatus_to_exitcode(status)}
    sys.stdout.write(json.dumps(ended))


def read_until(terminal: int, mark: bytes) -> None:
    seen = b""
    while mark not in seen:
        seen += os.read(terminal, 4096)


if __name__ == "__main__":
    main(sys.argv[1:])
