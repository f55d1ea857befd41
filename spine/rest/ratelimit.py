"""Requests per minute and token, counted in Redis in one round trip.

A sliding window: this minute's count plus the share of the last one that still lies within sixty
seconds. With Redis away requests pass: an integration that stops is worse than one unlimited.
"""

from __future__ import annotations

import logging
import math
import time
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import redis
from django.conf import settings
from rest_framework.request import Request

logger = logging.getLogger("evenkeel.rest")

WINDOW_SECONDS = 60
# After a failure Redis is left alone this long, so that its absence costs no time per request.
REST_SECONDS = 5.0
POLICY = "default"

_SCRIPT = """
local time = redis.call('TIME')
local moment = tonumber(time[1]) + tonumber(time[2]) / 1000000
local window = tonumber(ARGV[2])
local limit = tonumber(ARGV[1])
local place = math.floor(moment / window)
local share = 1 - (moment / window - place)
local key = KEYS[1] .. ':' .. place
local last = tonumber(redis.call('GET', KEYS[1] .. ':' .. (place - 1)) or '0')
local used = tonumber(redis.call('GET', key) or '0')
local before = math.floor(last * share)
local left = limit - before - used
local reset = math.ceil(window * share)
if left < 1 then
  return {0, 0, reset}
end
redis.call('INCR', key)
redis.call('EXPIRE', key, window * 2)
return {1, left - 1, reset}
"""


@dataclass(frozen=True, slots=True)
class Verdict:
    """allowed; how many more fit now; seconds until the present window ends."""

    allowed: bool
    limit: int
    remaining: int
    reset: int

    def headers(self) -> dict[str, str]:
        """`RateLimit` and `RateLimit-Policy` of the IETF draft; Retry-After when refused."""
        found = {
            "RateLimit-Policy": f'"{POLICY}";q={self.limit};w={WINDOW_SECONDS}',
            "RateLimit": f'"{POLICY}";r={self.remaining};t={self.reset}',
        }
        if not self.allowed:
            found["Retry-After"] = str(max(1, self.reset))
        return found


class _Outage:
    until = 0.0
    told = False


def take(identity: str, limit: int) -> Verdict | None:
    """Counts one request of this identity. None while Redis cannot be asked."""
    if time.monotonic() < _Outage.until:
        return None
    name = f"{settings.CACHES['default']['KEY_PREFIX']}:rate:{identity}"
    try:
        allowed, remaining, reset = _script(settings.REDIS_LOCATION)(
            keys=[name], args=[limit, WINDOW_SECONDS]
        )
    except (redis.RedisError, OSError) as error:
        _Outage.until = time.monotonic() + REST_SECONDS
        if not _Outage.told:
            logger.warning("rate limits are off while Redis is away: %s", error)
            _Outage.told = True
        return None
    _Outage.told = False
    return Verdict(bool(allowed), limit, int(remaining), max(1, math.ceil(reset)))


def check(request: Request) -> Verdict | None:
    """The verdict on this request, counted for its token, else its user, else its address."""
    token = request.auth
    if token is not None:
        identity = f"token:{token.pk}"
    elif request.user.is_authenticated:
        identity = f"user:{request.user.pk}"
    else:
        identity = f"address:{request.META.get('REMOTE_ADDR', '')}"
    limit = getattr(token, "rate_limit_per_minute", None) or settings.API_RATE_LIMIT_PER_MINUTE
    return take(identity, int(limit))


@lru_cache(maxsize=4)
def _script(location: str) -> Any:
    client = redis.Redis.from_url(location, socket_timeout=0.5, socket_connect_timeout=0.5)
    return client.register_script(_SCRIPT)
