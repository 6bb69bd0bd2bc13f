"""Write down the schemas of events that are new: ``python -m tests.contracts.freeze``.

A schema that is written down already is never touched; the tests beside this are there to prevent that.
"""

from __future__ import annotations

import json
from pathlib import Path

from shared.events import json_schema
from shared.events.catalogue import EVENT_TYPES

PUBLISHED = Path(__file__).parent / "published"


def freeze(folder: Path = PUBLISHED) -> list[str]:
    """The names of the events that were new."""
    new = [event for event in EVENT_TYPES if not (folder / f"{event.name}.json").exists()]
    for event in new:
        text = json.dumps(json_schema.of_schema(event.schema), indent=2)
        (folder / f"{event.name}.json").write_text(text + "\n")
    return [event.name for event in new]


if __name__ == "__main__":
    print("\n".join(freeze()) or "nothing new")
