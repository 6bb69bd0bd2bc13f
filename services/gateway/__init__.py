"""The gateway: the only part that speaks HTTP to the outside.

It owns nothing, listens to nothing and publishes nothing: it looks at the shape of a request, seals
what is secret, asks the service that owns the matter by RPC, and tells the answer in HTTP.
"""
