"""Values as JSON text, the same way for entries and for the personal values beside them."""

from __future__ import annotations

import json
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models


class AuditEncoder(DjangoJSONEncoder):
    """Dates, decimals, UUIDs, lazy translations; a record becomes its primary key."""

    def default(self, o: Any) -> Any:
        if isinstance(o, models.Model):
            return o.pk
        if isinstance(o, set | frozenset):
            return sorted(o)
        return super().default(o)


def to_json(value: Any) -> str:
    return json.dumps(value, cls=AuditEncoder, ensure_ascii=False)
