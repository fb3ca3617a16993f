"""What dead workers held goes back first in, first out: nothing waits for worker after worker that dies."""

from __future__ import annotations

import json

import redis

from broker.holders import give_back
from core.redis import connect


def held(client: redis.Redis, worker: str, *names: str) -> None:
    """Puts messages among those that ``worker`` holds."""
    for number, name in enumerate(names):
        message = {"body": name, "properties": {"delivery_info": {"exchange": ""}}}
        tag = f"{worker}/token{number:04x}"
        client.hset("unacked", tag, json.dumps([message, "", "q"], separators=(",", ":")))
        client.zadd("unacked_index", {tag: 1.0})


def foremost(client: redis.Redis) -> list[str]:
    """Names in the order in which a worker would get them."""
    return [json.loads(m)["body"] for m in reversed(client.lrange("q", 0, -1))]  # type: ignore[arg-type]


def test_what_went_back_first_is_foremost(valkey: str) -> None:
    client = connect(valkey)
    client.lpush("q", json.dumps({"body": "new"}))
    held(client, "ann", "a1", "a2", "a3")
    held(client, "bob", *(f"b{n}" for n in range(250)))
    held(client, "cid", "c1")
    assert give_back(client, "ann") == 3
    assert foremost(client) == ["a1", "a2", "a3", "new"]
    assert give_back(client, "bob") == 250
    assert give_back(client, "cid") == 1
    assert foremost(client) == ["a1", "a2", "a3", *(f"b{n}" for n in range(250)), "c1", "new"]
    assert client.hlen("unacked") == client.zcard("unacked_index") == 0
