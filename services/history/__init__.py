"""History owns participation, later benefits, medical visits and cards too, and their imports.

It hears that sessions were ended; it answers look-ups of the citizen whose token comes with them,
and of nobody else; it publishes ``history.imported``.
"""
