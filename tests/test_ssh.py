"""The whole story over real SSH: a run on Fashion-MNIST loses its client, steered, ended and replayed."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ends_within, fashion_mnist_is_here, miss
from tests.sshd import SSHD, Sshd
from tests.test_detach import Left
from tests.tmux import Tmux

REID_TUI = shutil.which("reid-tui")
RUN = ["--data", "fashion-mnist", "--batch-size", "8", "--device", "cpu", "--seed", "3"]


@pytest.mark.slow
def test_a_lost_connection_costs_nothing(tmp_path: Path) -> None:
    if SSHD is None or shutil.which("ssh") is None:
        miss("OpenSSH is not installed (Debian: openssh-server)")
    if shutil.which("tmux") is None:
        miss("tmux is not installed")
    if not fashion_mnist_is_here():
        miss("Fashion-MNIST is not on this machine (Debian: dataset-fashion-mnist)")
    assert REID_TUI, "the package is not installed"
    left = Left(tmp_path)
    keys = tmp_path / "ssh"
    keys.mkdir(mode=0o700)

    def reid_tui(*words: str) -> str:
        return f"cd {shlex.quote(str(tmp_path))} && exec env LC_ALL=C.UTF-8 OMP_NUM_THREADS=1 " + shlex.join(
            [str(REID_TUI), *words]
        )

    try:
        with Sshd(keys) as server:
            with Tmux(120, 40, tmp_path) as terminal:
                client = tmp_path / "client"
                terminal.run("sh", "-c", 'echo $$ > "$0"; exec "$@"', str(client), *server.command(reid_tui(*RUN)))
                terminal.until(lambda screen: re.search(r"step\s+[1-9]", screen), 120)
                terminal.press("+", "+")
                terminal.until(lambda _: len(left.told("margin_changed")) == 2, 30)
                os.kill(int(client.read_text()), signal.SIGKILL)
                assert ends_within(int(client.read_text()), 30)
            pid, step = left.pid, left.events()[-1]["step"]

            with Tmux(80, 24, tmp_path) as terminal:
                terminal.run(*server.command(reid_tui("attach")))
                terminal.until(lambda screen: "TRAINING" in screen and "1.10" in screen, 60)
                terminal.press("Space")
                terminal.until(lambda screen: "PAUSED" in screen, 30)
                assert left.events()[-1]["step"] > step
                terminal.press("-")
                terminal.press("r")
                terminal.until(lambda screen: "esc leaves" in screen, 30)
                terminal.press(*"0.0005", "Enter")
                terminal.until(lambda _: left.told("lr_changed"), 30)
                terminal.press("Space")
                terminal.until(lambda _: left.told("resumed"), 30)
                resumed = left.told("resumed")[-1]["step"]
                terminal.until(lambda _: left.events()[-1]["step"] > resumed + 10, 60)
                terminal.press("X")
                terminal.until(lambda screen: "save and stop the run" in screen, 30)
                terminal.press("Enter")
                terminal.until(lambda screen: "STOPPED" in screen, 60)
                terminal.press("q")
                terminal.until(lambda screen: "stopped, saved" in screen, 30)
        assert ends_within(pid, 30)
    finally:
        left.end()

    log = left.events()
    assert (log[-1]["event"], log[-1]["saved"]) == ("stopped", True)
    changes = [(line["event"], line["new"], line["origin"].split()[0]) for line in log if "new" in line]
    assert changes == [
        ("margin_changed", 1.05, "dashboard"),
        ("margin_changed", 1.1, "dashboard"),
        ("margin_changed", 1.05, "attach"),
        ("lr_changed", 0.0005, "attach"),
    ]

    done = subprocess.run(
        [REID_TUI, "train", "--replay", "latest", "--json", "--progress", "none"],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "weights equal" in done.stderr
    again = [json.loads(line) for line in done.stdout.splitlines()]
    losses = {line["step"]: line["loss"] for line in log if line["event"] == "progress"}
    assert {line["step"]: line["loss"] for line in again if line["event"] == "progress"} == losses
