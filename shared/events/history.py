"""What history publishes: an import of insurance records that has taken effect."""

from __future__ import annotations

from shared.events.envelope import EventType
from shared.events.fields import Count, Id, Moment, Text

IMPORTED = EventType(
    "history.imported.v1",
    {
        "import_id": Id(),
        "kind": Text(one_of=("participation", "benefits", "medical_visits", "health_cards")),
        "people": Count(),
        "rows": Count(),
        "as_of": Moment(),
    },
    listened=False,
)
