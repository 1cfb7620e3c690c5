"""`python -m probe` is `blockonset`."""

from probe.cli.main import main

main()
