"""A broker for sessions of svcat: it takes every order, and writes down what it heard."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def plan(name, **more):
    return {"id": f"{name}-id", "name": name, "description": f"The plan {name}."} | more


class SessionBroker:
    """`url`; `heard`: (method, path, identity); `offers(services)` changes the catalog. For as long as the block runs."""

    def __init__(self):
        schema = {"$schema": "http://json-schema.org/draft-04/schema#", "type": "object",
                  "properties": {"size": {"type": ["integer", "null"]}}}
        schemas = {"service_instance": {"create": {"parameters": schema}, "update": {"parameters": schema}}}
        self.services = [{"id": "db-id", "name": "db", "description": "A database.", "bindable": True, "tags": ["sql"],
                          "plan_updateable": True, "bindings_retrievable": True,
                          "plans": [plan("small", schemas=schemas), plan("large"), plan("later")]},
                         {"id": "queue-id", "name": "queue", "description": "A queue.", "bindable": True,
                          "plans": [plan("only")]}]
        self.heard, self.version, self.down = [], 1, False
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *about):
        self.server.shutdown()
        self.server.server_close()

    def offers(self, services):
        self.services, self.version = services, self.version + 1

    def requests(self, method, part):
        return [one for one in self.heard if one[0] == method and part in one[1]]

    def handler(broker):
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do(self):
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                path = self.path.partition("?")[0]
                if path != "/v2/catalog":
                    broker.heard.append((self.command, path, self.headers.get("X-Broker-API-Originating-Identity")))
                status, body = broker.answer(self.command, path, self.headers)
                text = b"" if status == 304 else json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("ETag", f'"{broker.version}"')
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_PUT = do_PATCH = do_DELETE = do

            def log_message(self, *about):
                pass

        return Handler

    def answer(self, method, path, headers):
        if self.down:
            return 503, {"description": "Down for a while."}
        if path == "/v2/catalog":
            same = headers.get("If-None-Match") == f'"{self.version}"'
            return (304, None) if same else (200, {"services": self.services})
        if path.endswith("/last_operation"):
            return 200, {"state": "succeeded"}
        if "/service_bindings/" in path and method in ("PUT", "GET"):
            return (201 if method == "PUT" else 200), {"credentials": {"user": "u", "password": "hunter2"}}
        return {"PUT": (201, {"dashboard_url": "https://dashboard.example"}), "PATCH": (200, {}), "DELETE": (200, {})}[method]
