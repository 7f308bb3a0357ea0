"""HTTP messages as plain values. Header names are kept in lower case; values are kept as they were sent."""

from urllib.parse import unquote, unquote_plus


class Request:
    """One HTTP request, read whole. `secure` says which of the two endpoints it came through."""

    __slots__ = ("method", "target", "path", "query_string", "query", "headers", "body", "secure", "peer", "host")

    def __init__(self, method, target, headers, body, secure, peer="127.0.0.1"):
        self.method = method
        self.target = target
        if target.startswith("http://") or target.startswith("https://"):
            target = "/" + target.split("/", 3)[3] if target.count("/") > 2 else "/"
        self.path, _, self.query_string = target.partition("?")
        self.query = parse_query(self.query_string)
        self.headers = headers
        self.body = body
        self.secure = secure
        self.peer = peer
        self.host = headers.get("host", "127.0.0.1")

    def header(self, name, default=None):
        return self.headers.get(name, default)

    def first(self, name, default=None):
        """The first value of a query parameter."""
        for key, value in self.query:
            if key == name:
                return value
        return default


class Response:
    __slots__ = ("status", "headers", "body")

    def __init__(self, status, headers, body=b""):
        self.status = status
        self.headers = headers
        self.body = body.encode() if isinstance(body, str) else body


def parse_query(query_string, form=False):
    """[(key, value)] in order. In a URL a plus sign stays a plus sign, as S3 and SigV4 read it; in a form it is a space."""
    decode = unquote_plus if form else unquote
    pairs = []
    for part in query_string.split("&"):
        if part:
            key, _, value = part.partition("=")
            pairs.append((decode(key), decode(value)))
    return pairs


REASONS = {
    100: "Continue",
    200: "OK",
    202: "Accepted",
    204: "No Content",
    206: "Partial Content",
    301: "Moved Permanently",
    304: "Not Modified",
    307: "Temporary Redirect",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    411: "Length Required",
    412: "Precondition Failed",
    416: "Requested Range Not Satisfiable",
    429: "Too Many Requests",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
}


def head_bytes(request_method, response):
    """Status line and headers. Every answer says its length, so that the connection can be kept."""
    lines = [f"HTTP/1.1 {response.status} {REASONS.get(response.status, 'Status')}"]
    length = None
    for name, value in response.headers.items():
        lower = name.lower()
        if lower in ("connection", "transfer-encoding", "status"):
            continue
        if lower == "content-length":
            length = value
            continue
        text = value.decode() if isinstance(value, bytes) else str(value)
        lines.append(f"{name}: {text}".replace("\r", " ").replace("\n", " "))
    if response.status not in (204, 304) and response.status >= 200:
        # The length of a HEAD's answer is the length that GET would have had.
        keep = request_method == "HEAD" and length is not None
        lines.append(f"Content-Length: {length if keep else len(response.body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "replace")
