"""Two small services on the kit, run as real processes by its tests."""
