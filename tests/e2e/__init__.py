"""The whole product over HTTP, on real parts, as its users meet it."""
