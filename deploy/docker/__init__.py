"""Runs the whole product in containers: the image, its secrets, an engine where there is none."""
