"""One process at a time trains a run."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dmn_cli.errors import UsageError
from dmn_cli.files import LOCK
from dmn_cli.training.lock import half_begun, locked

HOLD = "import sys, time\nfrom pathlib import Path\nfrom dmn_cli.training.lock import locked\n"
HOLD += "with locked(Path(sys.argv[1])):\n    print(flush=True)\n    time.sleep(60)\n"


def test_another_process_is_refused_until_the_first_is_gone_however_it_went(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with subprocess.Popen([sys.executable, "-c", HOLD, run], stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        with (
            pytest.raises(UsageError, match=f"another dmn is training this run .dmn, process {process.pid} on"),
            locked(run),
        ):
            pass
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert half_begun(run)
    assert (run / LOCK).exists()
    with locked(run):
        (run / "config.toml").touch()
    assert not half_begun(run)
    assert {path.name for path in run.iterdir()} == {"config.toml"}


def test_a_folder_that_was_made_for_nothing_goes_again(tmp_path: Path) -> None:
    with locked(tmp_path / "new"):
        pass
    (tmp_path / "old").mkdir()
    with locked(tmp_path / "old"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["old"]
