"""Everything around the rooms: one machine's stack, the lab country, shipped watches, the broker's configuration."""
