"""An HTTP/1.1 server on the event loop: keep-alive, `Expect: 100-continue`, Content-Length and chunked bodies.

Why not moto's own: it speaks HTTP/1.0 and closes every connection. Replies are written in order, one request of a
connection at a time. A handler that raises `Cut` gets its connection cut at once, without a byte of answer.
"""

import asyncio

from . import log
from .errors import Cut
from .http import Request, Response, head_bytes

MAX_HEAD = 1 << 20


async def listen(handler, secure, port=0):
    """Starts listening on 127.0.0.1 and returns (server, port)."""

    async def connected(reader, writer):
        try:
            await serve(reader, writer, handler, secure)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", port, limit=MAX_HEAD, backlog=1024)
    return server, server.sockets[0].getsockname()[1]


async def serve(reader, writer, handler, secure):
    peer = (writer.get_extra_info("peername") or ("127.0.0.1",))[0]
    while True:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return
        except asyncio.LimitOverrunError:
            return await bad_request(writer)
        try:
            method, target, version, headers = parse_head(head)
        except ValueError:
            return await bad_request(writer)
        if "100-continue" in headers.get("expect", "").lower():
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = await read_body(reader, headers)
        request = Request(method, target, headers, body, secure, peer)
        try:
            response = await handler(request)
        except Cut:
            writer.transport.abort()
            return
        except Exception:
            log.crash()
            response = Response(501, {"Content-Type": "text/plain"}, "StandInFailed: see stderr of the stand-in")
        head = head_bytes(method, response)
        if method == "HEAD" or response.status in (204, 304):
            writer.write(head)
        elif len(response.body) < 65536:
            writer.write(head + response.body)
        else:
            writer.write(head)
            writer.write(response.body)
            await writer.drain()
        connection = headers.get("connection", "").lower()
        if "close" in connection or (version == "HTTP/1.0" and "keep-alive" not in connection):
            return


def parse_head(head):
    lines = head.decode("utf-8", "surrogateescape").split("\r\n")
    method, target, version = lines[0].split(" ")
    headers = {}
    for line in lines[1:]:
        if not line:
            continue
        name, colon, value = line.partition(":")
        if not colon:
            raise ValueError(line)
        name, value = name.strip().lower(), value.strip()
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    return method, target, version, headers


async def read_body(reader, headers):
    if "chunked" in headers.get("transfer-encoding", "").lower():
        parts = []
        while True:
            size = int((await reader.readline()).split(b";")[0].strip() or b"0", 16)
            if size:
                parts.append(await reader.readexactly(size))
                await reader.readline()
                continue
            while (await reader.readline()).strip():
                pass
            body = b"".join(parts)
            headers["content-length"] = str(len(body))
            return body
    length = int(headers.get("content-length") or 0)
    return await reader.readexactly(length) if length else b""


async def bad_request(writer):
    writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    await writer.drain()
