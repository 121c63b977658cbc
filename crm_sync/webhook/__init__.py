"""Signed webhooks: an address that is told of everything, by whoever wants to hear."""
