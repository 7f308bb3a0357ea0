"""The probes of a container, run as the pod writes them."""

import time
import urllib.error
import urllib.request

OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Probe:
    """What a series of attempts says so far: None until a threshold is reached."""

    def __init__(self, wanted, address, ports):
        if "httpGet" not in wanted:
            raise NotImplementedError(f"a probe of this sort: {wanted}")
        get = wanted["httpGet"]
        port = get["port"] if isinstance(get["port"], int) else ports[get["port"]]
        self.url = f"{get.get('scheme', 'HTTP').lower()}://{address}:{port}{get.get('path', '/')}"
        self.period, self.timeout = wanted.get("periodSeconds", 10), wanted.get("timeoutSeconds", 1)
        self.enough = {True: wanted.get("successThreshold", 1), False: wanted.get("failureThreshold", 3)}
        self.next = time.monotonic() + wanted.get("initialDelaySeconds", 0)
        self.row, self.last, self.said, self.verdict = 0, None, "not probed yet", None

    def look(self):
        """Probes if it is time to."""
        now = time.monotonic()
        if now < self.next:
            return self.verdict
        self.next = now + self.period
        good = self.attempt()
        self.row = self.row + 1 if good == self.last else 1
        self.last = good
        if self.row >= self.enough[good]:
            self.verdict = good
        return self.verdict

    def attempt(self):
        try:
            with OPENER.open(self.url, timeout=self.timeout) as reply:
                self.said = f"{reply.status}"
                return 200 <= reply.status < 400
        except urllib.error.HTTPError as error:
            self.said = f"{error.code} {error.read()[:300].decode(errors='replace')}"
        except OSError as error:
            self.said = str(error)
        return False
