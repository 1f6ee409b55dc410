"""Collecting what is due through a payment gateway: an attempt is written down, the gateway is asked, its answer is recorded.

The three are steps of their own, and the gateway is asked between transactions, never inside one. So at whatever point a
process dies, the attempt says how far it had come, and the gateway is asked under the same key what became of it."""
