"""The aggregator: takes in signed segments, stores them once, judges them by rules, infers onsets and answers."""
