"""Pages of rebills: the list, the builder, and the difference between two documents of a chain."""
