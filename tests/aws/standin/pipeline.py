"""One request from its bytes to its answer. The order of the steps is the order AWS is seen to keep."""

import asyncio

from . import control, log, wire
from .authenticate import authenticate
from .authorize import authorize
from .aws_chunked import unwrap, verify_checksums
from .bridge import call_moto
from .credentials import keys
from .errors import AwsError, Cut, Gap
from .faults import injected
from .http import Response
from .operations import read_call, read_params
from .services import registry
from .validate import malformed, validate
from .world import world

registry.load()


async def handle(request):
    if request.path.startswith("/_standin/"):
        return control.answer(request)
    if "authorization" not in request.headers and request.path == "/favicon.ico":
        return Response(404, {})
    call = read_call(request)
    call.identity, call.account = keys.find(call.access_key)
    account = world.account(call.account)
    world.journal.begin(call)
    entry = account.journal.begin(call)
    if call.identity is not None:
        entry["principal"] = call.identity.arn
    rule = account.faults.take(call)
    if rule is not None and rule["mode"] == "latency":
        await asyncio.sleep(rule["seconds"])
    if rule is not None and rule["mode"] == "refuse":
        entry["status"] = "refused"
        raise Cut
    try:
        if rule is not None and rule["mode"] in ("error", "throttle"):
            raise injected(call, rule)
        response = carry_out(call)
        if asyncio.iscoroutine(response):
            response = await response
    except AwsError as failure:
        if isinstance(failure, Gap):
            log.line(failure.message)
        response = wire.error(call, failure)
    except Exception as error:
        log.crash()
        response = wire.error(
            call, Gap(call.service, call.operation, f"{type(error).__name__}: {error}", "StandInFailed")
        )
    entry["status"] = response.status
    if rule is not None and rule["mode"] == "lose_reply":
        entry["status"] = f"{response.status}, reply lost"
        raise Cut
    return response


def carry_out(call):
    """Proves, permits, checks and does one call. A handler that must wait gives a coroutine."""
    if call.operation is None:
        raise Gap(
            call.service, f"{call.request.method} {call.request.path}", "no operation of AWS's model fits the request"
        )
    authenticate(call)
    if call.service == "s3":
        unwrap(call.request)
    try:
        call.params = read_params(call)
    except KeyError as error:
        raise Gap(call.service, call.operation, f"unknown to the model: {error}") from error
    except Exception as error:
        raise malformed(call, error) from error
    registry.locate(call)
    authorize(call)
    validate(call)
    if call.service == "s3":
        verify_checksums(call.request)
    return run(call)


def run(call):
    handlers = registry.handlers(call)
    for before in handlers.before:
        before(call)
    if handlers.instead is not None:
        outcome = handlers.instead(call)
        if asyncio.iscoroutine(outcome):
            return finish_later(call, outcome, handlers)
        return finish(call, outcome, handlers)
    return finish(call, call_moto(call), handlers)


async def finish_later(call, coroutine, handlers):
    return finish(call, await coroutine, handlers)


def finish(call, outcome, handlers):
    response = outcome if isinstance(outcome, Response) else wire.result(call, outcome)
    if response.status < 400:
        if call.service == "s3":
            response = wire.with_s3_root(call, response)
        for after in handlers.after:
            changed = after(call, response)
            if changed is not None:
                response = changed
    return response
