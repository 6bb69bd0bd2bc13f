"""The services, each its own process and database. They never import each other: they meet in ``shared.events``."""
