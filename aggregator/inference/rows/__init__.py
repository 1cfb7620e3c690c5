"""The input of the inference: `rows` (columns), `parameters`, `clean` (which rows are used), `digest` (its hash)."""
