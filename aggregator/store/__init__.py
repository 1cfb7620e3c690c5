"""The ClickHouse store: one writer, migrations, named queries."""
