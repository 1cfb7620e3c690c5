"""How the rules judge the probe's runs under every kind of interference and in bad networks."""
