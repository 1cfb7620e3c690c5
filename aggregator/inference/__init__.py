"""The inference: from rows of outcomes to an answer for each provider and surface. Pure functions, no I/O.

In reading order: `rows` (the input and its cleaning), `model` (the statistics; its docstring lists the symbols),
`answer` (the posterior turned into an answer), `onset` (the three put together: `infer`). On top of these stand
`sensitivity`, `curve`, `watch_parameters`, `files` and `cli`. docs/method.md gives the model and the reasons for it.
"""
