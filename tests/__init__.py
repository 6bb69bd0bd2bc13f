"""Tests of the product as a whole, and the tools that run them by promise."""
