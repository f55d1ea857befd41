from django.apps import AppConfig


class ThreadsConfig(AppConfig):
    name = "spine.threads"
    label = "threads"
