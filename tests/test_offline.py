"""Nothing touches the network unless it is asked to: any attempt ends the process, and those that it has started."""

import os
import subprocess
import sys
from pathlib import Path

from helpers import COMMANDS

REFUSED = 99
# Imported by every interpreter that starts. Python reports each use of a socket, and each name that is looked up.
HOOK = f"""
import os, sys

USED = {{"socket." + name for name in ("connect", "bind", "sendto", "sendmsg")}}
ASKED = {{"socket." + name for name in ("getaddrinfo", "gethostbyname", "gethostbyaddr", "getnameinfo")}}

def refuse(event, arguments):
    if event == "socket.bind" and arguments[1] == ("::1", 0):
        return  # urllib3, when it is imported, to see whether there is IPv6
    if event in ASKED or event in USED and isinstance(arguments[1], tuple):  # other addresses are on this machine
        sys.stderr.write(f"network: {{event}} {{arguments}}\\n")
        sys.stderr.flush()
        os._exit({REFUSED})

sys.addaudithook(refuse)
"""
OFFLINE = (
    "prepare story --tasks 1 --questions 100 --out data",
    "train data --out run --epochs 1 --device cpu --set model.hidden=16 --set training.parts=2 --set training.steps=1",
    "eval run data",
    "eval demo --verify",
    "ask run --story story.txt --question 'Where is Mary?' --why",
    "report run data --out page.html",
    "info run",
)


def dmn(folder: Path, *commands: str) -> subprocess.CompletedProcess[str]:
    """Runs them by one interpreter, without a network."""
    (folder / "sitecustomize.py").write_text(HOOK)
    (folder / "story.txt").write_text("Mary went to the garden.\nJohn went to the kitchen.\n")
    path = os.pathsep.join([str(folder), *sys.path])
    environment = os.environ | {"PYTHONPATH": path, "DMN_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "2"}
    command = [sys.executable, "-c", COMMANDS, *commands]
    return subprocess.run(command, cwd=folder, env=environment, check=False, capture_output=True, text=True)


def test_nothing_touches_the_network(tmp_path: Path) -> None:
    done = dmn(tmp_path, *OFFLINE)
    assert done.returncode == 0, done.stderr
    assert "network:" not in done.stderr
    assert (tmp_path / "page.html").is_file()


def test_what_is_asked_for_would_be_fetched(tmp_path: Path) -> None:
    """Or the test above would show nothing."""
    done = dmn(tmp_path, "prepare babi http://127.0.0.1:9/babi.tar.gz --out data")
    assert done.returncode == REFUSED
    assert "network:" in done.stderr
