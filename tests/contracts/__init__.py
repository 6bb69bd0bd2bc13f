"""What the services promise each other: events, listeners, calls, and the direction of imports."""
