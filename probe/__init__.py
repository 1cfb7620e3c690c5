"""The probe: measures from one connection and keeps what it measured until a receipt comes. It draws no conclusions.

The packages, each of which imports only from those below it (held by a contract in pyproject.toml):

cli       the command line
agent     the program that runs for months: when to measure, and the run itself, deliveries and watch renewal
owner     what a volunteer does with a probe: set up, status, doctor, pause, uninstall
custody   measurements and requests on their way: the spool, deliveries, receipts, withdrawals, newer watches
measure   one run: which checks are made, their controls, and the data they use
place     which network this machine is in, how its traffic leaves (VPN, proxy), and whether it is metered
net       one network operation as one step: DNS, TCP, TLS, HTTP, MTProto, QUIC
panic     stops the probe and wipes its files; needs only Python (`python -m probe.panic`)
home      the probe's directory: file names, configuration, state, consent, texts
nats      the connection to the collector
protocol  what probe and aggregator agree on: measurements, watches, segments, receipts, keys, privacy rules
base      helpers that know nothing of measuring: errors, clocks, times, files, locks, retries, logs

`agent` and `owner` do not import each other, nor do `net` and `panic`, nor `home` and `nats`.
The aggregator imports only base, protocol and nats.
"""
