"""The contract between services: one module per publisher, one schema per event and version."""
