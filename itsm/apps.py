from django.apps import AppConfig
from django.core import checks


class ItsmConfig(AppConfig):
    name = "itsm"

    def ready(self) -> None:
        from itsm import wiring

        wiring.install()
        checks.register(wiring.check_listeners)
