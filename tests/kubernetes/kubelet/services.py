"""Services: an address and a name for each, and connections handed on to pods that are ready."""

import itertools
import random
import socket
import threading


class Addresses:
    """A range of 127.0.0.0/8 that no other kubelet of this machine has, for as long as this one holds it."""

    # Above the privileged ports, below those that the system hands out.
    CLAIM = 20127

    def __init__(self):
        for self.range in random.sample(range(20, 255), 100):
            try:
                self.claim = socket.create_server((f"127.{self.range}.255.254", self.CLAIM))
                break
            except OSError:
                continue
        else:
            raise OSError("no range of 127.0.0.0/8 is free")
        pods, services = itertools.count(1), itertools.count(1)
        self.pod = lambda: self.at(0, next(pods))
        self.service = lambda: self.at(128, next(services))

    def at(self, half, number):
        return f"127.{self.range}.{half + number // 250}.{number % 250 + 1}"

    def close(self):
        self.claim.close()


class Services:
    """`hosts` is the file with their names, which containers see as /etc/hosts. `address` gives the next one's address."""

    def __init__(self, hosts, address):
        self.hosts, self.address = hosts, address
        self.addresses, self.listeners, self.pods = {}, {}, []
        hosts.write_text("127.0.0.1 localhost\n")

    def refresh(self, services, ready):
        """`ready`: [(pod, its address)]"""
        self.pods = ready
        lines = ["127.0.0.1 localhost"]
        for service in services:
            meta, spec = service["metadata"], service["spec"]
            if meta["namespace"] == "default" and meta["name"] == "kubernetes" or not spec.get("selector"):
                continue
            place = meta["namespace"], meta["name"]
            if place not in self.addresses:
                self.addresses[place] = self.address()
            names = [f"{meta['name']}.{meta['namespace']}{ending}" for ending in ("", ".svc", ".svc.cluster.local")]
            for address in self.found(service) if spec.get("clusterIP") == "None" else [self.addresses[place]]:
                lines.append(f"{address} {' '.join(names)}")
            if spec.get("clusterIP") != "None":
                for port in spec["ports"]:
                    self.listen(service, port)
        text = "\n".join(lines) + "\n"
        if text != self.hosts.read_text():
            # In place: it is mounted.
            self.hosts.write_text(text)

    def found(self, service, port=None):
        """The addresses of its pods that are ready, with `port`'s number there."""
        wanted, result = service["spec"]["selector"].items(), []
        for pod, address in self.pods:
            same = pod["metadata"]["namespace"] == service["metadata"]["namespace"]
            if same and wanted <= pod["metadata"].get("labels", {}).items():
                if port is None:
                    result.append(address)
                    continue
                target = port.get("targetPort", port["port"])
                ports = [one for container in pod["spec"]["containers"] for one in container.get("ports", [])]
                named = {one.get("name"): one["containerPort"] for one in ports}
                result.append((address, target if isinstance(target, int) else named[target]))
        return result

    def listen(self, service, port):
        meta = service["metadata"]
        key = meta["namespace"], meta["name"], port["port"]
        known = self.listeners.get(key)
        if known:
            known[1], known[2] = service, port
            return
        listener = socket.create_server((self.addresses[key[:2]], port["port"]), backlog=64)
        self.listeners[key] = [listener, service, port]
        threading.Thread(target=self.accept, args=(key,), daemon=True).start()

    def accept(self, key):
        listener = self.listeners[key][0]
        for turn in itertools.count():
            try:
                incoming, _ = listener.accept()
            except OSError:
                return
            _, service, port = self.listeners[key]
            targets = self.found(service, port)
            if not targets:
                incoming.close()
                continue
            threading.Thread(target=relay, args=(incoming, targets[turn % len(targets)]), daemon=True).start()

    def close(self):
        for listener, *_ in self.listeners.values():
            listener.close()


class Forwarder:
    """A port of 127.0.0.1 that leads elsewhere for as long as the block runs."""

    def __init__(self, port, target):
        self.port, self.target = port, target

    def __enter__(self):
        self.listener = socket.create_server(("127.0.0.1", self.port), backlog=64)
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def accept(self):
        try:
            while True:
                incoming, _ = self.listener.accept()
                threading.Thread(target=relay, args=(incoming, self.target), daemon=True).start()
        except OSError:
            return

    def __exit__(self, *_):
        self.listener.close()


def relay(incoming, target):
    try:
        outgoing = socket.create_connection(target, timeout=10)
    except OSError:
        incoming.close()
        return
    outgoing.settimeout(None)
    back = threading.Thread(target=pump, args=(outgoing, incoming), daemon=True)
    back.start()
    pump(incoming, outgoing)
    back.join()
    for one in (incoming, outgoing):
        one.close()


def pump(source, target):
    try:
        while data := source.recv(65536):
            target.sendall(data)
    except OSError:
        pass
    finally:
        for one in (source, target):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
