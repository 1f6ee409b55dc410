"""Random examples that may take any time: no test of them fails because the machine is busy."""

from hypothesis import HealthCheck, given, settings

__all__ = ["given"]

settings.register_profile("any time", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any time")
