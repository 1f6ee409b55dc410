"""Webhooks: the endpoints, what must be sent to each, and sending it."""
