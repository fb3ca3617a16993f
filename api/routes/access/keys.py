"""``/v1/keys`` and ``/v1/limits``: API keys, and the limits of their owners; for keys with the scope ``admin``."""

from __future__ import annotations

from flask import Blueprint, Response, g, jsonify

from api.context import caller, context
from api.http.json_body import read_json
from api.job_views import root
from api.openapi.operation import ResponseSpec, operation
from api.openapi.parameters import LOCATION
from core.errors import Conflict, InvalidRequest, NotFound
from core.names import Scope
from schemas import key_responses as responses
from schemas.key_requests import KeyRequest, LimitsRequest, RotationRequest
from schemas.views import rfc3339
from storage.access import keys
from storage.access.limits import (
    Limits,
    check_owner,
    clear_limits,
    default_limits,
    get_limits,
    limits_of,
    set_limits,
)

routes = Blueprint("keys", __name__, url_prefix="/v1")

#: An id in a path; its length tells it from ``current``.
_ID = "<string(length=20):key_id>"


@routes.post("/keys")
@operation(
    "createKey",
    {201: ResponseSpec(responses.NewApiKey, headers=LOCATION)},
    body=KeyRequest,
    scope=Scope.ADMIN,
)
def create() -> tuple[Response, int, dict[str, str]]:
    """Create an API key for an owner. Its secret is shown only once."""
    asked = KeyRequest.model_validate(read_json())
    secret = keys.create_key(
        context().redis,
        asked.owner,
        asked.name,
        scopes=frozenset(asked.scopes),
        expires_in=asked.expires_in,
        limits=Limits(**asked.limits.model_dump()),
        max_expires_in=asked.max_expires_in,
    )
    return _created(secret)


@routes.get("/keys")
@operation("listKeys", {200: responses.ApiKeyList}, scope=Scope.ADMIN)
def list_keys() -> Response:
    """List the API keys of all owners, without their secrets. Keys that have expired are listed for 30 days."""
    return jsonify(responses.ApiKeyList(object="list", data=[_view(key) for key in keys.list_keys(context().redis)]))


@routes.get("/keys/current")
@operation("getCurrentKey", {200: responses.CurrentKey}, scope="any")
def current() -> Response:
    """Retrieve the API key of this request: its owner, scopes, end and limits."""
    asking = caller()
    admission = g.get("admission")
    return jsonify(
        responses.CurrentKey(
            id=asking.key,
            object="current_key",
            owner=asking.owner,
            scopes=sorted(asking.scopes),
            expires=rfc3339(admission.key.expires) if admission else None,
            limits=_limits(asking.key_limits),
            owner_limits=_limits(asking.owner_limits),
        )
    )


@routes.get(f"/keys/{_ID}")
@operation("getKey", {200: responses.ApiKey}, scope=Scope.ADMIN)
def get(key_id: str) -> Response:
    """Retrieve an API key, without its secret."""
    return jsonify(_view(keys.get_key(context().redis, key_id)))


@routes.delete(f"/keys/{_ID}")
@operation("revokeKey", {204: None}, scope=Scope.ADMIN)
def revoke(key_id: str) -> Response:
    """Revoke an API key at once. The jobs of its owner are not affected."""
    keys.revoke_key(context().redis, key_id)
    return Response(status=204)


@routes.post(f"/keys/{_ID}/rotate")
@operation(
    "rotateKey",
    {201: ResponseSpec(responses.NewApiKey, headers=LOCATION)},
    body=RotationRequest,
    optional=True,
    errors=(Conflict,),
    scope=Scope.ADMIN,
)
def rotate(key_id: str) -> tuple[Response, int, dict[str, str]]:
    """Replace an API key by a new one with the same owner, name, scopes and limits. The old one remains valid for
    `overlap` seconds, by default for a day."""
    asked = RotationRequest.model_validate(read_json(b"{}"))
    return _created(
        keys.rotate_key(context().redis, key_id, overlap=asked.overlap, expires_in=asked.expires_in),
    )


@routes.get("/limits/<owner>")
@operation("getLimits", {200: responses.OwnerLimits}, scope=Scope.ADMIN)
def get_owner_limits(owner: str) -> Response:
    """Retrieve the limits of an owner: its own, and the service's settings for the others."""
    return _owner_limits(_known(owner))


@routes.put("/limits/<owner>")
@operation("setLimits", {200: responses.OwnerLimits}, body=LimitsRequest, scope=Scope.ADMIN)
def put_owner_limits(owner: str) -> Response:
    """Set the limits of an owner, in place of all that were set before. Null lifts a limit of the service's settings;
    limits that are omitted are those of the settings."""
    asked = LimitsRequest.model_validate(read_json())
    set_limits(context().redis, _known(owner), asked.model_dump(exclude_unset=True))
    return _owner_limits(owner)


@routes.delete("/limits/<owner>")
@operation("clearLimits", {204: None}, scope=Scope.ADMIN)
def delete_owner_limits(owner: str) -> Response:
    """Remove the limits that were set for an owner: the service's settings apply again."""
    clear_limits(context().redis, _known(owner))
    return Response(status=204)


def _known(owner: str) -> str:
    """The owner of a path. Raises `NotFound` if nobody can have that name."""
    try:
        check_owner(owner)
    except InvalidRequest as error:
        raise NotFound("There can be no owner of this name.", code="owner_not_found") from error
    return owner


def _owner_limits(owner: str) -> Response:
    ctx = context()
    view = responses.OwnerLimits(
        object="limits",
        owner=owner,
        limits=_limits(limits_of(ctx.redis, owner, default_limits(ctx.settings))),
        own=list(get_limits(ctx.redis, owner)),
    )
    return jsonify(view)


def _created(secret: str) -> tuple[Response, int, dict[str, str]]:
    key = keys.get_key(context().redis, keys.key_id(keys.digest_of(secret)))
    view = responses.NewApiKey(**_view(key), secret=secret)
    return jsonify(view), 201, {"Location": view["links"]["self"], "Cache-Control": "no-store"}


def _view(key: keys.ApiKey) -> responses.ApiKey:
    own = f"{root()}/v1/keys/{key.id}"
    return responses.ApiKey(
        id=key.id,
        object="api_key",
        owner=key.owner,
        name=key.name,
        scopes=sorted(key.scopes),
        created=rfc3339(key.created),
        expires=rfc3339(key.expires),
        last_used=rfc3339(key.last_used),
        replaced_by=key.replaced_by,
        limits=_limits(key.limits),
        max_expires_in=key.max_expires_in,
        links=responses.KeyLinks(self=own, rotate=f"{own}/rotate"),
    )


def _limits(limits: Limits) -> responses.LimitValues:
    return responses.LimitValues(
        requests_per_minute=limits.requests_per_minute,
        open_jobs=limits.open_jobs,
        characters_per_day=limits.characters_per_day,
        audio_seconds_per_day=limits.audio_seconds_per_day,
    )
