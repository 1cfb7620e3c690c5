"""Text templates for languages that use the dollar sign themselves: NATS, launchd and shells."""

from __future__ import annotations

import string


class PercentTemplate(string.Template):
    """A template whose places are written %name or %{name}; %% is a percent sign."""

    delimiter = "%"
