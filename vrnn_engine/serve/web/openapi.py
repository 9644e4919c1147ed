"""The OpenAPI description of the server: what FastAPI derives from the routes, and the schema of a manifest."""

from typing import Any

import msgspec
from fastapi import FastAPI

from vrnn_engine.runtime.voice.manifest import Manifest

_REFERENCES = "#/components/schemas/{name}"
_MANIFEST = msgspec.json.schema_components([Manifest], ref_template=_REFERENCES)

MANIFEST_SCHEMA: dict[str, Any] = _MANIFEST[0][0]
"""Reference to the schema of a manifest."""

DESCRIPTION = """\
Lists, describes and renders the voices of a vrnn-engine server.

A session, which streams a voice while it is steered, is a WebSocket at `/NAME`; docs/serving.md specifies it, as
OpenAPI cannot.  Every answer that is an error is `{"error": "one line"}`.
"""


class DescribedApp(FastAPI):
    """A FastAPI application whose OpenAPI names the served voices and has the schema of a manifest."""

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI description."""
        if self.openapi_schema is None:
            found = super().openapi()  # which keeps it
            schemas = found.setdefault("components", {}).setdefault("schemas", {})
            schemas.update(_MANIFEST[1])
            for unused in ("HTTPValidationError", "ValidationError"):  # FastAPI's own form of an error
                schemas.pop(unused, None)
            for operations in found["paths"].values():
                for operation in operations.values():
                    self._complete(operation)
        return super().openapi()

    def _complete(self, operation: dict[str, Any]) -> None:
        """Name the voices in the description of an operation."""
        for parameter in operation.get("parameters", []):
            if parameter["in"] == "path":
                parameter["schema"]["enum"] = list(self.state.services.voices.names)
        if "HTTPValidationError" in str(operation["responses"].get("422")):
            del operation["responses"]["422"]  # every name is a valid one, though perhaps unknown
