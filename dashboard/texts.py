"""Every word that the pages show, in one place, for the second language to come. Sentences come from the API."""

from __future__ import annotations

TITLE = "Blockonset"
OVERVIEW, PROVIDER = "Overview", "Provider"

NONE = "\N{EN DASH}"
SPAN = "{start} \N{EN DASH} {end}"

STATE = {
    "blocked": "stopped working",
    "lifted": "stopped, works again",
    "suspected": "suspected",
    "blocked_since_before_start": "not working when measuring began",
    "reachable": "no block seen",
    "insufficient": "not measured enough",
    "unmeasured": "not measured",
}
MARK = {
    "blocked": "●",
    "lifted": "◐",
    "suspected": "◇",
    "blocked_since_before_start": "◀",
    "reachable": "○",
    "insufficient": "…",
    "unmeasured": NONE,
}
"""A sign per state, so that none is told by colour alone."""
STATE_SAID = {state: f"{MARK[state]} {word}" for state, word in STATE.items()}

OUTCOME = {"ok": "worked", "blocked": "failed", "down": "service down", "inconclusive": "inconclusive"}
OUTCOME_MARK = {"ok": "●", "blocked": "■", "down": "▼", "inconclusive": "◆"}
OUTCOME_SAID = {outcome: f"{OUTCOME_MARK[outcome]} {word}" for outcome, word in OUTCOME.items()}
ONSET, LIFT = "onset", "works again"
TIPS = {"time": "UTC", "label": "Probe", "outcome": "Outcome", "method": "Method", "seen": "Seen"}
DATE = {"issued": "order", "block_by": "deadline", "report_by": "reporting date"}
LAG = "{lag} the order"
SIDE = {True: "before", False: "after", None: "can't tell"}

FICTIONAL = "Fictional"
FICTIONAL_WHY = "A country made up on one machine. Nothing on this page is about a real provider."

LIVE = "live"
KNOWN = "with what had arrived by {at} UTC"
EVERY = "probes measure every {cadence}"
STALE = "Not live: showing what was known at {at} UTC. {why}."
UNWELL = "Not live: the aggregator reports trouble: {why}."
SILENT = "Nothing new has arrived for {age}. What is shown is the last that was known."
DOWN = "The aggregator can't be reached"
DOWN_WHY = "{why}. This page tries again by itself; `blockonset up` starts a whole stack on one machine."
NO_WATCH = "Nothing is watched yet"
NO_WATCH_WHY = "The aggregator at {api} has no watch. Start it with `--watch FILE`."
NOT_THERE = "There is no such page"
NO_ANSWER_YET = "Waiting for the first measurements"
NO_ANSWER_YET_WHY = "Probes measure every {cadence}. The first answers follow when some have arrived."
NO_SURFACE = "Nothing is known about the surface {surface} on this provider yet."
NO_RUNS = "No runs in this window."
BROKEN = "This page failed. The dashboard's log says why; the data is unharmed, and reloading may help."

WATCH = "Watch"
KEY = (
    "Dot: estimate. Bar: 95 % interval. Thin line: while it did not work. Open bar: began before the first "
    "measurement. Diamond, dashed: suspected. Ring: works again."
)
TIMELINE_ALT = "Timeline of {n} providers against the order and the deadline. The table below says the same."
STRIP_ALT = "Outcome of each run by probe, {start} to {end} UTC. The table below says the same."

COLUMNS = {
    "provider": "Provider",
    "access": "Access",
    "state": "State",
    "surface": "Surface",
    "method": "Method",
    "since": "Since (UTC)",
    "interval": "95 % interval (UTC)",
    "order": "Order",
    "due": "Deadline",
    "p": "p",
    "measurements": "Measurements",
    "probes": "Probes",
    "lines": "Lines",
}
RUN_COLUMNS = {
    "at": "Time (UTC)",
    "probe": "Probe",
    "verdict": "Outcome",
    "method": "Method",
    "rule": "Rule",
    "evidence": "What was seen",
}
REVISION_COLUMNS = {
    "as_of": "Known by (UTC)",
    "surface": "Surface",
    "state": "State",
    "onset": "Onset (UTC)",
    "p": "p",
    "model": "Model",
    "input": "Input digest",
}
LOCAL = "Second line of the axis: {zone}, the country's own time."
FACTS = ("Measurements", "Probes", "Lines", "Probability", "Method", "Pattern")
WINDOW = "Window"
WINDOWS = {"onset": "around the onset", "latest": "latest", "all": "everything"}
SURFACE = "Surface"
RUNS_CHANGED = "Runs on both sides of each change, newest first: {n} of the {all} in this window, {day}."
RUNS_NEWEST = "No outcome changed in this window. Its newest {n} of {all} runs, {day}."
REVISIONS = "Revisions"
REVISIONS_WHY = "Answers are never overwritten. Late data makes a new one, and the old ones stay."
BACK = "← all providers"
REASONS = "To bear in mind: {reasons}."
