"""The services, each its own process and database; they never import each other, only ``shared.events``."""
