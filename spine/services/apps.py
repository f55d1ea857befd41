from django.apps import AppConfig


class ServicesConfig(AppConfig):
    name = "spine.services"
    label = "services"
