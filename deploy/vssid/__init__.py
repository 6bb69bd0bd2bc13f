"""``vssid``, the operator's command: looks into every queue and database of an installation, and mends."""
