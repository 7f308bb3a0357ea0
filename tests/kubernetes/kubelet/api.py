"""The API server, as a node needs it."""

import json
import ssl
import urllib.error
import urllib.request


class Api:
    def __init__(self, url, token, authority):
        self.url, self.token = url, token
        context = ssl.create_default_context(cafile=authority)
        handlers = urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        self.opener = urllib.request.build_opener(*handlers)

    def call(self, method, path, body=None, kind="application/json", missing=False):
        """What it answers; None for a 404 if it may be `missing`."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self.token}",
                   "Accept": "application/json"} | ({"Content-Type": kind} if data else {})
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        try:
            with self.opener.open(request, timeout=30) as reply:
                return json.load(reply)
        except urllib.error.HTTPError as error:
            said = error.read().decode(errors="replace")
            if error.code == 404 and missing:
                return None
            raise ApiError(error.code, f"{method} {path}: {error.code} {said[:1000]}") from None

    def get(self, path, missing=False):
        return self.call("GET", path, missing=missing)

    def patch(self, path, body, missing=False):
        return self.call("PATCH", path, body, "application/merge-patch+json", missing=missing)


class ApiError(Exception):
    def __init__(self, status, message):
        super().__init__(message)
        self.status = status
