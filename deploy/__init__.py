"""How the system is brought up: packaging, native running, and stand-ins for the outside world."""
