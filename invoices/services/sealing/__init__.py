"""Seal rows that are written once, so that whoever alters them later is found."""
