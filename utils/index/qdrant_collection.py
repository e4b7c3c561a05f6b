"""Requests to one collection of Qdrant, wherever it is."""

import os
import time
from pathlib import Path
from typing import Any

from utils.index.protocol import Where, wanted

PAUSES = (0.2, 1, 5)  # seconds before a request that failed is tried again
SECONDS = 30  # to wait for an answer
SCHEMAS = {str: "keyword", int: "integer", bool: "bool"}


class Collection:
    """A collection by name, in this process, a folder, or on a server; made by nobody yet, perhaps.

    place : ":memory:", a folder or an address; None for QDRANT_URL, or ":memory:" without one.
    """

    def __init__(self, place: str | Path | None, name: str) -> None:
        from qdrant_client import QdrantClient

        self.place = str(place or os.environ.get("QDRANT_URL") or ":memory:")
        self.name, self.remote = name, "://" in self.place
        self.client: Any
        self.looked_up: set[str] = set()  # fields that the server keeps an index of
        if self.remote:
            key = os.environ.get("QDRANT_API_KEY")
            self.client = QdrantClient(url=self.place, api_key=key, timeout=SECONDS)
        elif self.place == ":memory:":
            self.client = QdrantClient(":memory:")
        else:
            self.client = QdrantClient(path=self.place)

    def ask(self, what: str, again: bool = True, **arguments: Any) -> Any:
        """The client's method `what` for this collection; `again` where a fault may pass.

        Raises ConnectionError in one sentence where it does not.
        """
        from qdrant_client.common.client_exceptions import ResourceExhaustedResponse
        from qdrant_client.http.exceptions import ApiException

        for pause in (*(PAUSES if again else ()), None):
            try:
                return getattr(self.client, what)(collection_name=self.name, **arguments)
            except (ResourceExhaustedResponse, ApiException) as error:
                status = getattr(error, "status_code", 0)
                refused = 400 <= status < 500 and status not in (408, 429)  # too slow, too many
                if pause is None or refused:
                    told = " ".join(str(error).split())
                    raise ConnectionError(
                        f"Qdrant at {self.place} did not answer {what} ({told}); look whether it "
                        "runs there, and whether QDRANT_API_KEY is its key."
                    ) from error
                time.sleep(getattr(error, "retry_after_s", pause))
        raise AssertionError("the last pause is None")

    def filter(self, where: Where | None, look_up: bool) -> Any:
        """What Qdrant calls `where`.

        look_up : have the server index a field when it is first asked for; strict ones insist.
        """
        models, conditions = qdrant_models(), []
        for field, values in wanted(where or {}).items():
            if '"' in field:
                raise ValueError(f"Qdrant cannot filter by a field with a quote in it, {field!r}.")
            key = f'payload."{field}"'
            kinds = {kind: [v for v in values if type(v) is kind] for kind in map(type, values)}
            matches = [models.MatchAny(any=kinds.get(kind, [])) for kind in (str, int)]
            matches += [models.MatchValue(value=value) for value in kinds.get(bool, [])]
            any_of = [models.FieldCondition(key=key, match=match) for match in matches]
            conditions.append(models.Filter(should=any_of))
            if look_up and kinds and self.remote and field not in self.looked_up:
                schema = SCHEMAS[next(iter(kinds))]
                self.ask("create_payload_index", field_name=key, field_schema=schema, wait=True)
                self.looked_up.add(field)
        return models.Filter(must=conditions) if conditions else None


def qdrant_models() -> Any:  # whose own types leave lists no room
    from qdrant_client import models

    return models
