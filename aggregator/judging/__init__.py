"""From steps to verdicts, by a versioned set of rules."""
