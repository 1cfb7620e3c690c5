"""The probe: measures from one connection, keeps what it measured until it is receipted, and concludes nothing."""
