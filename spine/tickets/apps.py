from django.apps import AppConfig


class TicketsConfig(AppConfig):
    name = "spine.tickets"
    label = "tickets"

    def ready(self) -> None:
        from spine.threads import markdown
        from spine.tickets import kinds, search

        # The practices stand above in INSTALLED_APPS: their kinds are registered by now.
        for kind in kinds.every():
            search.register(kind)
        markdown.register_number_linker(search.link_number)
