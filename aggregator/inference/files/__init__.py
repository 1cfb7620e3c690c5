"""Files of measurements: `fields` (one row), `reading` (formats), `gather` (grouping); `table` prints answers."""
