"""The REST API of rebills, and gen_rb_m."""
