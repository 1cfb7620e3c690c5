"""What every package stands on and what knows nothing of measuring: errors, clocks, times, retries, logs."""
