"""As much of an Open Service Broker client as a walk through the main job needs."""

import base64
import json
import urllib.error
import urllib.parse
import urllib.request
import uuid

# Proxies of the environment are not asked about a broker on this machine.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Answer:
    def __init__(self, status, headers, raw):
        self.status, self.headers, self.raw = status, headers, raw

    @property
    def body(self):
        try:
            return json.loads(self.raw)
        except ValueError:
            return {}

    @property
    def retry_after(self):
        """Seconds, as the broker asks; one second where it does not."""
        value = self.headers.get("Retry-After", "")
        return int(value) if value.isdigit() else 1

    def sentence(self):
        body = self.body
        text = body.get("description") or body.get("error") if isinstance(body, dict) else None
        return f"HTTP {self.status}: {text or self.raw[:300].decode(errors='replace')}"


class Osb:
    def __init__(self, url, username, password, timeout=60):
        self.url, self.timeout = url.rstrip("/"), timeout
        self.headers = {"X-Broker-API-Version": "2.17", "Content-Type": "application/json"}
        if password is not None:
            word = base64.b64encode(f"{username}:{password}".encode()).decode()
            self.headers["Authorization"] = f"Basic {word}"

    def call(self, method, path, query=None, body=None):
        address = f"{self.url}{path}" + (f"?{urllib.parse.urlencode(query)}" if query else "")
        headers = self.headers | {"X-Broker-API-Request-Identity": str(uuid.uuid4())}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(address, data, headers, method=method)
        try:
            with OPENER.open(request, timeout=self.timeout) as reply:
                return Answer(reply.status, reply.headers, reply.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.headers, error.read())

    def get(self, path, **query):
        return self.call("GET", path, query)

    def put(self, path, body, **query):
        return self.call("PUT", path, query, body)

    def delete(self, path, **query):
        return self.call("DELETE", path, query)
