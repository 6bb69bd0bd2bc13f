"""Runs the whole product on one machine without Docker: private servers on loopback, all in one folder."""
