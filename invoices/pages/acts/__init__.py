"""Pages for acts: what will happen is seen first, by the act's own service, then confirmed."""
