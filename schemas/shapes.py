"""What the shapes of all responses are made of.

They are typed dictionaries. mypy checks that a view sets every key with the right type, Flask writes them as they
are, and pydantic derives their JSON Schema; nothing is validated while a request is served.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field, with_config
from typing_extensions import TypedDict  # pydantic reads this one on Python 3.11

Url = Annotated[str, Field(json_schema_extra={"format": "uri"})]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$", description="Hexadecimal")]
Count = Annotated[int, Field(ge=0)]
Seconds = Annotated[float, Field(ge=0, description="Seconds")]


@with_config(ConfigDict(extra="forbid"))
class Shape(TypedDict):
    """A JSON object of a response. It has no other fields than its class declares."""
