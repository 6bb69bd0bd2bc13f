"""What operators watch the product with: Prometheus, its alerts, dashboards."""
