"""The process that measures for weeks."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

from probe import panic
from probe.owner import status
from tests.support.fake_collector import eventually
from tests.support.owned_probe import probe_config, running_daemon, watch_of, write_config

ROOT = Path(__file__).parents[3]


def _words_of(pid):
    """A process's command line, where /proc tells it."""
    file = Path(f"/proc/{pid}/cmdline")
    return file.read_text() if file.exists() else "probe.agent.daemon"


async def test_run_executes_a_process_without_the_libraries_of_the_command_line(tmp_path):
    """Rich and cyclopts take 8 MB. SIGTERM ends it with exit code 0; `status` shows its process id and next run."""
    settings = probe_config(tmp_path)
    with running_daemon(write_config(tmp_path, settings)) as process:
        await eventually(lambda: panic.running(Path(settings.data)), 20)
        assert "probe.agent.daemon" in _words_of(process.pid)
        found = await eventually(
            lambda: (s := status.status(settings, watch_of(settings), ask_api=False)).next_run and s, 20
        )
        assert found.pid == process.pid
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, 10) == 0
    assert status.status(settings, None).pid is None


def test_a_light_import():
    """The measuring process loads no library of the aggregator, the dashboard or the command line."""
    code = "import sys; sys.modules['rich'] = None; import probe.agent.daemon, probe.agent.agent;"
    code += "print(sorted(sys.modules))"
    out = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for heavy in ("cyclopts", "rich.console", "aiohttp", "numpy", "clickhouse_connect", "litestar", "nats.aio.client"):
        assert f"'{heavy}'" not in out
