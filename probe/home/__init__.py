"""The probe's directory: its configuration, its notes, the volunteer's consent, and the texts shown."""
