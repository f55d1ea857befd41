from django.apps import AppConfig


class TicketsConfig(AppConfig):
    name = "spine.tickets"
    label = "tickets"
