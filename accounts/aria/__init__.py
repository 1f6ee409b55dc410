"""Infrastructure of Aria's method calls for all apps, and the method calls of accounts."""
