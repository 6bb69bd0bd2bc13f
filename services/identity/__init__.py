"""Who somebody is, and how the person proves it afterwards.

Owns register checks, cases, verified people, accounts, credentials, sessions, staff and the audit trail.
Listens to registration.submitted, registration.close_requested, its own identity.verified, and to
notification.sent, delivered and failed: a first password that did not arrive is replaced. Publishes
identity.checked, identity.verified, identity.rejected, identity.closed, credentials.issued,
account.notice_due and account.log_in_otp_requested.
"""
