"""Collect open amounts through a payment gateway: store an attempt, call the gateway, record its answer.

Each is a step of its own, and the gateway is called between two transactions, never inside one. If a process dies, the attempt
shows how far it had come, and the gateway is asked about it with the same key.
"""
