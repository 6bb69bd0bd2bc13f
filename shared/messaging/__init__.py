"""The messaging kit: effects exactly once, events at least once, over RabbitMQ and PostgreSQL.

A service author needs four things of it: ``@rpc``, ``@on_event(...)``, ``@job(...)`` and ``outbox.add(...)``.
"""
