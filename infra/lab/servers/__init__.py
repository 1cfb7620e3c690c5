"""What listens in the lab: sockets, the protocols behind them, resolvers and certificates."""
