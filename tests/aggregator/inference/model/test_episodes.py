"""Blocks that come and go."""

from __future__ import annotations

import dataclasses

import numpy as np

from aggregator.inference.onset import infer
from aggregator.inference.rows.parameters import Parameters
from tests.support.measured_fleet import BASE, FleetSpec, make, seconds

DAY = 86400.0


def test_two_blocks_are_two_episodes() -> None:
    """Each of two blocks has an onset and a lift of its own, and the first is the answer's."""
    blocks = ((2 * DAY, 2.7 * DAY), (5 * DAY, 5.5 * DAY))
    answer = infer(make(FleetSpec(cadence=600, length=8 * DAY, blocks=blocks)), Parameters(cadence_s=600))
    assert (answer.state, answer.pattern) == ("lifted", "intermittent")
    assert len(answer.episodes) == 2
    assert (answer.onset, answer.lift) == (answer.episodes[0].onset, answer.episodes[0].lift)
    for (start, stop), episode in zip(blocks, answer.episodes, strict=True):
        assert episode.lift is not None
        assert abs(seconds(episode.onset.estimate) - start) < 600
        assert abs(seconds(episode.lift.estimate) - stop) < 600


def test_last_episode_may_have_no_lift() -> None:
    """If the last block has no lift, the state is blocked."""
    blocks = ((2 * DAY, 2.7 * DAY), (5 * DAY, 1e9))
    answer = infer(make(FleetSpec(cadence=600, length=8 * DAY, blocks=blocks)), Parameters(cadence_s=600))
    assert (answer.state, len(answer.episodes)) == ("blocked", 2)
    assert answer.episodes[1].lift is None


def test_short_outage_beside_a_block_is_no_episode() -> None:
    """Half an hour in which all runs fail is taken for a hidden outage, not for an episode."""
    blocks = ((2 * DAY, 2 * DAY + 1800), (5 * DAY, 1e9))
    answer = infer(make(FleetSpec(cadence=600, length=8 * DAY, blocks=blocks)), Parameters(cadence_s=600))
    assert len(answer.episodes) == 1
    assert abs(seconds(answer.episodes[0].onset.estimate) - 5 * DAY) < 600


def test_private_change_before_a_block_is_no_episode() -> None:
    """One line of three fails for half a day; days later all are blocked: one episode, the later."""
    rows = make(FleetSpec(cadence=600, length=8 * DAY, blocks=((5 * DAY, 1e9),)))
    own = (
        (rows.line == np.unique(rows.line)[0])
        & (rows.at >= BASE + 2 * DAY * 1000)
        & (rows.at < BASE + 2.5 * DAY * 1000)
    )
    answer = infer(
        dataclasses.replace(rows, outcome=np.where(own, 1, rows.outcome).astype(np.int8)), Parameters(cadence_s=600)
    )
    assert (answer.state, len(answer.episodes)) == ("blocked", 1)
    assert answer.onset is not None
    assert abs(seconds(answer.onset.estimate) - 5 * DAY) < 1200
