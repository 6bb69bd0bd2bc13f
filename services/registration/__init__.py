"""Registration: a citizen's application, from the first draft to the account that works.

Owns drafts, declarations, agencies and administrative units, the status and timeline of each application,
its deadline, and the claim that a phone belongs to a BHXH code. Listens to what identity decides about the
case and to what notification sent; publishes ``registration.*``.
"""
