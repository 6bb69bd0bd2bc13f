"""What operators see of a running product: ``make test-observability``."""
