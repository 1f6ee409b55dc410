"""Usage records: loading, finding their plan instance, removing, moving."""
