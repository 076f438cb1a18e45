"""Run a program in our place: same terminal, same process group, its exit code."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from types import FrameType
from typing import Final

from tidegate.cli.errors import CommandError

_RESUME_WAIT_S: Final = 0.02


def run_program(command: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run the program to its end; 128 + n if signal n ended it."""
    try:
        if sys.platform == "win32":
            return _run_on_windows(command, environ)
        return _run_on_posix(command, environ)
    except OSError as error:
        raise CommandError(f"{command[0]} cannot be started: {error.strerror}.") from None


def _run_on_windows(command: Sequence[str], environ: Mapping[str, str]) -> int:
    # Ctrl+C goes to every process of the console; the program decides what it means.
    signal.signal(signal.SIGINT, lambda *_: None)
    return subprocess.Popen(command, env=environ).wait()  # noqa: S603  # what the developer launched


def _run_on_posix(command: Sequence[str], environ: Mapping[str, str]) -> int:
    relay = _SignalRelay()
    # Python ignores these two; a program must not inherit that.
    defaults = [signal.SIGPIPE, signal.SIGXFSZ]
    relay.start(os.posix_spawn(command[0], list(command), environ, setsigdef=defaults))
    code = _wait(relay)
    return code if code >= 0 else 128 - code


class _SignalRelay:
    """Passes on to the program what was sent to us alone."""

    _ALWAYS: Final = (signal.SIGTERM, signal.SIGHUP) if sys.platform != "win32" else ()
    _BY_TERMINAL: Final = (signal.SIGINT, signal.SIGQUIT) if sys.platform != "win32" else ()

    def __init__(self) -> None:
        self.pid = 0
        self._early: list[int] = []
        for number in (*self._ALWAYS, *self._BY_TERMINAL):
            # Ignored signals stay so for both of us: that is how nohup works.
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._receive)

    def start(self, pid: int) -> None:
        """Begin, with what came before the program was there."""
        self.pid = pid
        for number in self._early:
            os.kill(pid, number)

    def ended(self) -> None:
        """The program is gone, and its process id may be another's soon."""
        self.pid = -1

    def _receive(self, number: int, _frame: FrameType | None) -> None:
        if number in self._BY_TERMINAL and owns_terminal():
            return  # the terminal has sent it to the program as well
        if self.pid > 0:
            os.kill(self.pid, number)
        elif self.pid == 0:
            self._early.append(number)


def _wait(relay: _SignalRelay) -> int:
    """Wait for the end; if the program stops (Ctrl+Z), stop too, so that the shell takes over."""
    while True:
        _, status = os.waitpid(relay.pid, os.WUNTRACED)
        if not os.WIFSTOPPED(status):
            relay.ended()
            return os.waitstatus_to_exitcode(status)
        if not owns_terminal():
            continue
        # The shell may be waking both of us at this moment: stopping now would undo that.
        time.sleep(_RESUME_WAIT_S)
        changed, status = os.waitpid(relay.pid, os.WNOHANG | os.WUNTRACED | os.WCONTINUED)
        if not changed:
            os.kill(os.getpid(), signal.SIGSTOP)  # until the shell's `fg`
            os.kill(relay.pid, signal.SIGCONT)
        elif not (os.WIFCONTINUED(status) or os.WIFSTOPPED(status)):
            relay.ended()
            return os.waitstatus_to_exitcode(status)


def owns_terminal() -> bool:
    """Whether our process group is the one that the terminal talks to."""
    if sys.platform == "win32":
        return sys.stdin.isatty()
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)
