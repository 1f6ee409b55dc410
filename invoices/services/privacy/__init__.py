"""Personal data of customers: which columns hold it, its export, its erasure, and how long it is kept."""
