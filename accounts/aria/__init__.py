"""The wire of Aria's method calls, for all apps, and the methods of accounts."""
