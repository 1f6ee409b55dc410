"""Aria's method call for rebills."""
