from django.apps import AppConfig


class RebillsConfig(AppConfig):
    name = "rebills"
    verbose_name = "Rebills"
