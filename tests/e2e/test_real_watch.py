"""A shipped watch runs in the same stack, here in a network namespace of its own without a way out."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from probe.home import texts

WATCH = Path(__file__).parents[2] / "infra" / "watches" / "telegram-vn-2025.toml"
ISOLATED = ["unshare", "--map-root-user", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]


def can_isolate():
    """Whether this machine allows a network namespace to be created."""
    if not shutil.which("unshare") or not shutil.which("ip"):
        return False
    return subprocess.run([*ISOLATED, "true"], capture_output=True, check=False).returncode == 0


@pytest.fixture(autouse=True)
def _isolated():
    """Skip unless the test can be isolated: nothing here may ever reach a real address."""
    if can_isolate():
        return
    if os.environ.get("BLOCKONSET_CI"):
        pytest.fail("network namespaces are needed, and CI may not skip this test")
    pytest.skip("network namespaces need Linux with unshare and ip")


def test_nobody_measures_a_real_watch_without_agreeing_to_it(tmp_path):
    """Without a terminal: the text, the flag's name, exit code 2, and nothing created."""
    command = [sys.executable, "-m", "probe", "up", "--watch", str(WATCH), "--data", str(tmp_path / "data")]
    environment = {k: v for k, v in os.environ.items() if k != "BLOCKONSET_PROBE_ACCEPT_RISK"} | {"LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        [*ISOLATED, *command, "--for", "1"], capture_output=True, text=True, timeout=60, check=False,
        stdin=subprocess.DEVNULL, env=environment,
    )  # fmt: skip
    assert done.returncode == 2
    assert "What the law may say" in done.stdout
    assert f"--accept-risk {texts.load('en').version}" in done.stderr
    assert not (tmp_path / "data").exists()


@pytest.mark.timeout(150)
def test_a_real_watch_without_a_network_gives_no_onset(tmp_path):
    """Without a network the control fails too: runs are stored, and no provider gets an onset."""
    text = (
        WATCH.read_text(encoding="utf-8")
        .replace("cadence_s = 600", "cadence_s = 4")
        .replace("timeout_s = 10", "timeout_s = 1")
    )
    watch = tmp_path / "telegram-vn-2025.toml"
    watch.write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "probe", "up", "--watch", str(watch), "--data", str(tmp_path / "data")]
    options = ["--for", "16", "--json", "--no-dashboard", "--api-port", "0"]
    vantage = {"BLOCKONSET_PROBE_VANTAGE_ASN": "18403", "BLOCKONSET_PROBE_VANTAGE_ACCESS": "fixed"}
    agreed = {"BLOCKONSET_PROBE_ACCEPT_RISK": texts.load("en").version, "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        [*ISOLATED, *command, *options],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, **vantage, **agreed},
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    c = report["custody"]
    assert c["sealed"] >= 5
    assert c["sealed"] == c["stored"]
    answers = {p["provider"]: p["answer"] for p in report["providers"]}
    assert len(answers) == 7
    assert all(a["onset"] is None for a in answers.values())
    assert answers["fpt-fixed"]["measurements"] > 0
    assert all(p["truth"] is None for p in report["providers"])
