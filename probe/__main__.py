"""`python -m probe` is `blockonset`."""

from probe.parts import main

main()
