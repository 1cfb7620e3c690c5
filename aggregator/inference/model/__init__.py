"""The statistical model. It works on arrays and knows no store, API or probe. docs/method.md has the equations.

In reading order: `counts` (the sufficient statistics), `likelihood` (of one line), `priors`, `grid` (candidate times),
`posterior` (over pairs of onset and lift), `locate` (fine grids, quantiles), `alternatives` and `episodes` (more than
one block), `sequential_detector` (the online score, independent of the others).

Symbols, here and in docs/method.md:

    tau, sigma  onset and lift: a block is on during [tau, sigma)
    j           a line; in code an index along the axis "series"
    n, k        runs of a check on a line, and how many of them failed; n_in, k_in inside a block, n_out, k_out outside
    BB          the beta-binomial marginal likelihood BB(k, n; a, b), see `likelihood`
    m           the kind of a block: full or weak; in code an index along the axis "kinds"
    b           grid boundaries b_0 < b_1 < ..., ms since the epoch; they cut the window into cells, see `posterior`

A series is the rows of one line. Rows whose line is unknown make one series per probe. Logs are natural (nats).
"""
