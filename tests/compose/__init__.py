"""The product in containers, as an operations team runs it: ``make test-compose``."""
