"""What callers send and get, a file for each of ``resources``."""
