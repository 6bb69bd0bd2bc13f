"""``make audit``: known holes of what the services depend on, and why those that are left do no harm."""
