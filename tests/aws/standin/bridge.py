"""The way into moto: one call in, moto's answer out, and no answer of moto's that could be misread.

moto's service classes are called directly, as its own in-process mode does, without Flask and without werkzeug's
server. moto is told the account in the header that it has for it (`x-moto-account-id`). What moto has not
implemented, or crashes on, becomes `Gap` (501), never a 404 or a 500 with HTML in it.
"""

import io
import re
from functools import lru_cache
from urllib.parse import unquote

import moto.backend_index as backend_index
from moto import backends
from moto.core.exceptions import HTTPException
from moto.core.request import PRESERVED_HEADER_NAMES_ENVIRON_KEY, environ_key_for_header
from moto.core.request import Request as MotoRequest

from . import log
from .errors import Gap
from .http import Response
from .settings import DEFAULT_ACCOUNT


class BridgedRequest(MotoRequest):
    from_wsgi_server = True


def environ_of(request, path=None, body=None, query=None):
    """A WSGI environment for moto. Header names with an underscore (S3 metadata) keep their spelling."""
    path = request.path if path is None else path
    body = request.body if body is None else body
    query = request.query_string if query is None else query
    environ = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote(path, "latin-1"),
        "RAW_URI": path + ("?" + query if query else ""),
        "QUERY_STRING": query,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": request.peer,
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.input_terminated": True,
    }
    kept = {}
    for name, value in request.headers.items():
        key = environ_key_for_header(name)
        if "_" in name and name.startswith("x-amz-meta-"):
            kept[key] = name
        environ[key] = value
    if kept:
        environ[PRESERVED_HEADER_NAMES_ENVIRON_KEY] = kept
    environ["CONTENT_LENGTH"] = str(len(body))
    return environ


@lru_cache(maxsize=None)
def routes(service):
    """[(pattern, handler)] of a moto service, its URLs reduced to their paths. Empty for one that moto has not."""
    host = f"https://{service}.us-east-1.amazonaws.com"
    names = [name for name, pattern in backend_index.backend_url_patterns if name == service or pattern.match(host)]
    if not names:
        return []
    backend_dict = backends.get_backend(service if service in names else names[0])
    try:
        regions = backend_dict[DEFAULT_ACCOUNT]
        backend = regions["us-east-1"] if "us-east-1" in regions else regions["aws"]
    except KeyError:
        backend = backend_dict["global"]
    found = []
    for template, handler in backend.url_paths.items():
        found.append((re.compile("^" + template.replace("{0}", "") if "{0}" in template else template), handler))
    return found


def handler_for(service, path):
    for pattern, handler in routes(service):
        if pattern.match(path):
            return handler
    return None


def call_moto(call, path=None, body=None, query=None):
    """Has moto carry the call out and gives its answer."""
    request = call.request
    environ = environ_of(request, path, body, query)
    environ["HTTP_X_MOTO_ACCOUNT_ID"] = call.moto_account or call.account
    # moto reads region and key from this header alone; presigned requests do not have it. It also reads a region
    # from the user agent, which clients are free to fill.
    environ["HTTP_AUTHORIZATION"] = (
        f"AWS4-HMAC-SHA256 Credential={call.access_key or 'test'}/20200101/{call.region}/{call.service}/aws4_request, "
        "SignedHeaders=host, Signature=0"
    )
    environ["HTTP_USER_AGENT"] = "standin"
    moto_request = BridgedRequest(environ)
    handler = handler_for(call.service, path or request.path)
    if handler is None:
        raise Gap(call.service, call.operation, "moto has no such service or path")
    try:
        status, headers, body = handler(moto_request, moto_request.raw_url, moto_request.headers)
    except HTTPException as error:
        status, headers, body = error.code, dict(error.get_headers()), error.get_body()
    except NotImplementedError as error:
        raise Gap(call.service, call.operation, f"not in moto: {error}") from error
    except Exception as error:
        log.crash()
        raise Gap(
            call.service, call.operation, f"moto failed: {type(error).__name__}: {error}", "StandInFailed"
        ) from error
    return checked(call, Response(int(status), dict(headers), body or b""))


def checked(call, response):
    """Refuses answers that say nothing about AWS: HTML pages, and bare 404s and 500s."""
    if response.status < 400:
        return response
    body = response.body.lstrip()[:200].lower()
    if body.startswith((b"<!doctype", b"<html")) or (response.status == 500 and b"internalfailure" not in body):
        raise Gap(
            call.service, call.operation, f"moto answered {response.status}: {response.body[:200]!r}", "StandInFailed"
        )
    if response.status == 404 and call.request.method != "HEAD" and (not body or b"not yet implemented" in body):
        raise Gap(call.service, call.operation, "moto does not know it")
    return response
