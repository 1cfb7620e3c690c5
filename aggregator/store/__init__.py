"""The ClickHouse store: connections, the lock of an embedded store, migrations and named queries."""
