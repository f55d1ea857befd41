"""What an import needs to know of incidents."""

from __future__ import annotations

from incidents.models import Incident
from spine.tickets.importing import targets
from spine.tickets.importing.targets import Field, Target

_CLOSE_CODE_LIMIT = Incident._meta.get_field("close_code").max_length or 64

targets.register(
    Target(
        kind="incident",
        fields=(
            # Other systems' codes are kept in their own words: nobody here can tell what "code 6"
            # stood for.
            Field("close_code", targets.NAME, limit=_CLOSE_CODE_LIMIT, outcome=True),
            Field("close_notes", targets.TEXT, limit=100_000, outcome=True),
            Field("resolved_by", targets.PERSON, outcome=True),
            Field("confirmed_at", targets.MOMENT, outcome=True),
        ),
    )
)
