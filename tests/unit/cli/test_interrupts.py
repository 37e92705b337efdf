import signal
import subprocess
import sys

import pytest

PROGRAM = """
import os, signal, sys, time
from scoremill.cli import interrupts
from scoremill.cli.views.progress import ProgressView
from scoremill.events import Note

interrupts.install()
with ProgressView(quiet=True) as watch:
    watch(Note("before"))
    try:
        os.kill(os.getpid(), int(sys.argv[1]))
        time.sleep(10)
    except KeyboardInterrupt:
        print("swallowed", flush=True)
    try:
        watch(Note("after"))
    except KeyboardInterrupt:
        print("interrupted", flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupt_that_a_library_swallows_ends_the_command_at_its_next_event(number: signal.Signals) -> None:
    # A shell ignores SIGINT in processes that it starts in the background.
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(int(number))],
        capture_output=True,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert done.stdout.split() == ["swallowed", "interrupted"], done.stderr
