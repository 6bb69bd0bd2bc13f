"""The demo: synthetic citizens go the whole way, on a real installation, and every promise is checked."""
