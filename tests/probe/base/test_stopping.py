"""A wait ends when it is over or when the program is told to stop, whichever comes first."""

import asyncio
import os
import signal

import pytest

from probe.base.stopping import stop_on_signals, stops_within, unless_stopped


async def test_a_wait_says_whether_it_was_cut_short():
    """By the event, which may be set before or during the wait."""
    stop = asyncio.Event()
    assert not await stops_within(stop, 0.01)
    asyncio.get_running_loop().call_later(0.01, stop.set)
    assert await stops_within(stop, 5)
    assert await stops_within(stop, 5)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_sets_the_event(number):
    """Instead of ending the process."""
    stop = asyncio.Event()
    stop_on_signals(stop)
    os.kill(os.getpid(), number)
    assert await stops_within(stop, 5)


async def test_work_is_finished_or_cancelled():
    """Its result or its error comes back; cancelled, it has ended before the call returns."""
    stop, ended = asyncio.Event(), []

    async def endless():
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(True)

    async def fails():
        raise ValueError("no")

    assert await unless_stopped(stop, asyncio.sleep(0, "done")) == "done"
    with pytest.raises(ValueError, match="no"):
        await unless_stopped(stop, fails())
    asyncio.get_running_loop().call_later(0.01, stop.set)
    assert await unless_stopped(stop, endless()) is None
    assert ended == [True]
