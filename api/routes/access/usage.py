"""``/v1/usage``: what an owner has used, by day and API key."""

from __future__ import annotations

import re
from datetime import date

from flask import Blueprint, Response, jsonify, request

from api.context import caller, context
from api.http.query import invalid, only
from api.openapi.operation import operation
from api.openapi.parameters import USAGE
from core.errors import Forbidden
from core.names import Scope
from schemas import usage_responses as responses
from storage.access.limits import OWNER
from storage.access.usage import MAX_DAYS, Use, total

routes = Blueprint("usage", __name__, url_prefix="/v1/usage")

#: Days that are shown by default.
_DAYS = 30


@routes.get("")
@operation("getUsage", {200: responses.UsageList}, parameters=USAGE, scope="any")
def usage() -> Response:
    """Retrieve what the owner of the API key has used, by day and key: of the last 30 days, or of others. Needs the
    scope `jobs:read`, or `admin` for another owner."""
    only(("from", "to", "owner"))
    owner, found = _owner(), context().usage
    last = _day("to") or found.today()
    first = _day("from") or date.fromordinal(max(1, last.toordinal() - _DAYS + 1))
    if not 0 <= (last - first).days < MAX_DAYS:
        raise invalid("from", "invalid_days", f"The days must be in order, and at most {MAX_DAYS}.")
    used = found.between(owner, first, last)
    data = [responses.DayUsage(date=one.date.isoformat(), key=one.key, **_amounts(one.use)) for one in used]
    return jsonify(responses.UsageList(object="list", data=data, totals=_amounts(total(used))))


def _amounts(use: Use) -> responses.UsageTotals:
    return responses.UsageTotals(
        requests=use.requests,
        jobs=use.jobs,
        succeeded=use.succeeded,
        failed=use.failed,
        characters=use.characters,
        audio_seconds_in=use.audio_seconds_in,
        audio_seconds_out=use.audio_seconds_out,
    )


def _owner() -> str:
    """Whose use is asked for. Raises `Forbidden` unless the key may see it."""
    asking = caller()
    owner = request.args.get("owner", asking.owner)
    if not re.fullmatch(OWNER, owner):
        raise invalid("owner", "invalid_value", "This cannot be an owner's name.")
    needed = Scope.JOBS_READ if owner == asking.owner else Scope.ADMIN
    if needed not in asking.scopes and Scope.ADMIN not in asking.scopes:
        raise Forbidden(f"The API key lacks the scope '{needed}'.", code="missing_scope")
    return owner


def _day(name: str) -> date | None:
    text = request.args.get(name)
    if text is None:
        return None
    try:
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise invalid(name, "invalid_value", "The value must be a day, as YYYY-MM-DD.")
