"""What every test of the repository may ask for stands in ``tests/fixtures.py``."""

pytest_plugins = ["tests.fixtures"]
