"""uvicorn's connections, with patience for headers that has an end."""

from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol


class PatientProtocol(H11Protocol):
    """uvicorn's HTTP, whose keep-alive time also holds for the headers of a request.

    uvicorn itself waits for ever for the rest of a header line.
    """

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive, self.timeout_keep_alive_handler
        )

    def _unset_keepalive_if_required(self) -> None:  # which uvicorn calls with every byte
        if self.conn.their_state is not h11.IDLE:
            super()._unset_keepalive_if_required()

    def timeout_keep_alive_handler(self) -> None:
        if self.conn.their_state is h11.IDLE:  # else a request has come whole meanwhile
            super().timeout_keep_alive_handler()
