"""What every service builds on: events, messaging, database, settings, logs. Imports no service."""
