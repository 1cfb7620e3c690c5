"""The probe's directory: its file names, configuration, state and consent, and the texts that volunteers see."""
