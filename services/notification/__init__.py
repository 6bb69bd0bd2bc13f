"""Notification owns messages, their attempts and receipts, and the templates.

It hears registration's OTPs and reminders, identity's endings and credentials, and account notices; it speaks
SMPP and SMTP, each message once; it publishes ``notification.sent``, ``delivered`` and ``failed``.
"""
