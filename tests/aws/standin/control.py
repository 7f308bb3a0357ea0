"""The tests' own interface, JSON under /_standin/. It is no AWS call: it is never counted and never fails on order.

GET    /_standin/health
GET    /_standin/calls                              total and counts over all accounts
GET    /_standin/accounts/{account}/calls           total, counts, the last 10,000 calls    DELETE clears
PUT    /_standin/accounts/{account}/faults          {"rules": [...]}  (faults)               GET shows what is left
PUT    /_standin/accounts/{account}/visibility      {"seconds": S} or {"calls": N}; {} ends it  (visibility)
PUT    /_standin/accounts/{account}/sqs             {"name_cooldown": true}
GET    /_standin/accounts/{account}/inventory       everything that exists there (inventory)
DELETE /_standin/accounts/{account}                 forget everything of the account
"""

import json
import re

from .http import Response
from .inventory import inventory
from .world import world

ACCOUNT = re.compile(r"/_standin/accounts/(\d{12})(?:/(\w+))?")


def answer(request):
    try:
        body = json.loads(request.body) if request.body else {}
        return reply(200, route(request, body))
    except LookupError as error:
        return reply(404, {"error": str(error)})
    except (ValueError, TypeError) as error:
        return reply(400, {"error": str(error)})


def reply(status, value):
    return Response(status, {"Content-Type": "application/json"}, json.dumps(value, default=str))


def route(request, body):
    method, path = request.method, request.path
    if (method, path) == ("GET", "/_standin/health"):
        return {"ok": True}
    if (method, path) == ("GET", "/_standin/calls"):
        return world.journal.as_json()
    found = ACCOUNT.fullmatch(path)
    if not found:
        raise LookupError(f"no such path: {path}")
    number, what = found.groups()
    account = world.account(number)
    if (method, what) == ("DELETE", None):
        world.forget(number)
    elif (method, what) == ("GET", "calls"):
        return account.journal.as_json()
    elif (method, what) == ("DELETE", "calls"):
        account.journal.clear()
    elif (method, what) == ("PUT", "faults"):
        account.faults.put(body.get("rules", []))
    elif (method, what) == ("GET", "faults"):
        return {"rules": account.faults.rules, "calls": account.faults.seen}
    elif (method, what) == ("PUT", "visibility"):
        account.visibility.put(float(body.get("seconds", 0)), int(body.get("calls", 0)))
    elif (method, what) == ("PUT", "sqs"):
        account.queue_name_cooldown = bool(body.get("name_cooldown"))
    elif (method, what) == ("GET", "inventory"):
        return inventory(number, request.host)
    else:
        raise LookupError(f"no such thing: {method} {path}")
    return {"ok": True}
