"""Processes that end with the one that started them."""

import os
import signal
import subprocess
import sys
import time

import pytest

CHILD = "import sys, time; from dmn_cli.machine.parent import end_with_parent; end_with_parent(int(sys.argv[1])); "
CHILD += "print(flush=True); time.sleep(100)"
PARENT = """
import os, subprocess, sys, time
with subprocess.Popen([sys.executable, "-c", sys.argv[1], str(os.getpid())], stdout=subprocess.PIPE) as child:
    child.stdout.readline()
    print(child.pid, flush=True)
    time.sleep(100)
"""


@pytest.mark.skipif(os.name != "posix", reason="a process has another parent once its own is gone, on POSIX alone")
def test_a_process_ends_with_its_parent() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT, CHILD], stdout=subprocess.PIPE) as parent:
        assert parent.stdout
        child = int(parent.stdout.readline())
        os.kill(child, 0)
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        deadline = time.monotonic() + 30
        while is_running(child):
            assert time.monotonic() < deadline
            time.sleep(0.05)


def is_running(process: int) -> bool:
    """And not a zombie, which nobody may wait for here."""
    said = subprocess.run(["ps", "-o", "stat=", "-p", str(process)], capture_output=True, text=True, check=False)
    return said.stdout.strip()[:1] not in ("", "Z")
