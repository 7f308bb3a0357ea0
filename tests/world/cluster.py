"""A Kubernetes cluster to test against, without nodes: a real etcd, kube-apiserver and kube-controller-manager.

Everything is on 127.0.0.1 or in one private directory of the world, with tokens of its own; any number may run at a time.
Objects live, are admitted, authorised, collected and deleted as anywhere; pods never run.
"""

import base64
import json
import secrets
import signal
import ssl
import subprocess
import urllib.request

import programs
from broker import write_secret
from postgres import free_port
from process import wait_until
from settings import ROOT, Refusal, without_kubernetes

ADMIN = "admin"
# Users who may do nothing but what a test's RBAC lets them.
USERS = ("alice", "bob")
# What makes namespaces, owner references, service accounts and aggregated roles work. Each further one costs memory and
# start time, and those that make pods would make some that never run.
CONTROLLERS = ("garbage-collector-controller", "namespace-controller", "serviceaccount-controller",
               "root-ca-certificate-publisher-controller", "clusterrole-aggregation-controller")
CLIENTS = {"kubectl": "kubectl", "helm": "helm", "svcat": "svcat", "kubectl-svcat": "svcat"}
# A cold machine with both cores busy takes many times what a warm one takes.
PATIENCE = 120


class Cluster:
    """kubeconfig: a context for the administrator (the current one) and for each of USERS. bin: the client programs."""

    def __init__(self, directory, found):
        self.directory, self.programs = directory, found
        self.kubeconfig, self.bin = directory / "kubeconfig", directory / "bin"
        self.tokens = {name: secrets.token_urlsafe(24) for name in (ADMIN, *USERS)}
        self.url = self.server = None

    def environment(self, base):
        """The clients', so that they neither read what is a person's own nor write into their home."""
        places = {"KUBECACHEDIR": "cache", "HELM_CACHE_HOME": "helm/cache", "HELM_CONFIG_HOME": "helm/config",
                  "HELM_DATA_HOME": "helm/data"}
        return without_kubernetes(base) | {name: str(self.directory / place) for name, place in places.items()}

    def described(self):
        return {"kubeconfig": str(self.kubeconfig), "url": self.url, "bin": str(self.bin)}


def begin(world):
    """Starts etcd and the API server without waiting for the latter, which takes seconds."""
    directory = world.directory / f"kubernetes-{secrets.token_hex(3)}"
    directory.mkdir(0o700)
    cluster = Cluster(directory, programs.find(world))
    make_bin(cluster)
    write_tokens(cluster)
    start_etcd(world, cluster)
    start_server(world, cluster)
    return cluster


def ready(world, cluster, definitions=()):
    """Waits until it serves, starts the controllers and waits for the first thing they make. `definitions` are files and
    folders of CustomResourceDefinitions besides the charts' own."""
    for _ in range(3):  # another process may take the free port before the API server does
        if wait_until(lambda: answers(cluster, "/readyz"), cluster.server, PATIENCE, "kube-apiserver"):
            break
        world.children.remove(cluster.server)
        cluster.server.stop()
        if "address already in use" not in said(cluster, "kube-apiserver"):
            raise refusal(cluster, "kube-apiserver")
        start_server(world, cluster)
    else:
        raise refusal(cluster, "kube-apiserver")
    write_kubeconfig(cluster)
    define(world, cluster, [*sorted(ROOT.glob("charts/*/crds")), *definitions])
    controllers = start_controllers(world, cluster)
    account = "/api/v1/namespaces/default/serviceaccounts/default"
    if not wait_until(lambda: answers(cluster, account), controllers, PATIENCE, "kube-controller-manager"):
        raise refusal(cluster, "kube-controller-manager")
    return cluster


def start(world, definitions=()):
    return ready(world, begin(world), definitions)


def make_bin(cluster):
    cluster.bin.mkdir()
    for name, program in CLIENTS.items():
        (cluster.bin / name).symlink_to(cluster.programs[program])


def write_tokens(cluster):
    """token,user,uid and, where there are any, groups. In a file, because everybody can read arguments."""
    groups = {ADMIN: ",system:masters"}
    lines = [f"{token},{name},{name}{groups.get(name, '')}\n" for name, token in cluster.tokens.items()]
    write_secret(cluster.directory / "tokens.csv", "".join(lines))


def start_etcd(world, cluster):
    """On sockets in our directory: no port that another may take, and nobody else can read what is in it."""
    client, peer = "unix://etcd:0", "unix://peer:0"
    child = run(world, cluster, "etcd", **{
        "data-dir": "etcd-data", "unsafe-no-fsync": "true", "log-level": "warn",
        "listen-client-urls": client, "advertise-client-urls": client,
        "listen-peer-urls": peer, "initial-advertise-peer-urls": peer, "initial-cluster": f"default={peer}"})
    if not wait_until((cluster.directory / "etcd:0").exists, child, PATIENCE, "etcd"):
        raise refusal(cluster, "etcd")


def write_audit(cluster):
    """What service accounts ask for is written down: a test compares it with what they may."""
    policy = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"],
              "rules": [{"level": "Metadata", "userGroups": ["system:serviceaccounts"]}, {"level": "None"}]}
    (cluster.directory / "audit.json").write_text(json.dumps(policy))


def start_server(world, cluster):
    write_audit(cluster)
    port = free_port()
    cluster.url = f"https://127.0.0.1:{port}"
    cluster.server = run(world, cluster, "kube-apiserver", **{
        "etcd-servers": "unix://etcd:0", "bind-address": "127.0.0.1", "secure-port": port,
        # A machine without a network has no other address, and a Service of itself cannot name this one.
        "advertise-address": "127.0.0.1", "endpoint-reconciler-type": "none",
        # It makes its own certificate there, and we have no other key for the tokens of service accounts.
        "cert-dir": ".", "service-account-issuer": "https://kubernetes.default.svc",
        "service-account-key-file": "apiserver.key", "service-account-signing-key-file": "apiserver.key",
        "audit-policy-file": "audit.json", "audit-log-path": "audit.log",
        "token-auth-file": "tokens.csv", "authorization-mode": "RBAC", "service-cluster-ip-range": "10.0.0.0/24",
        # Many clusters have it: who sets blockOwnerDeletion has to be allowed to.
        "enable-admission-plugins": "OwnerReferencesPermissionEnforcement"})


def define(world, cluster, places):
    """Before the controllers start, and until it is listed: the garbage collector looks for new kinds every 30 seconds."""
    if not places:
        return
    files = [word for place in places for word in ("--filename", place)]
    applied = kubectl(world, cluster, "apply", "--server-side", "--output=name", *files)
    if applied is None:
        raise Refusal(f"These cannot be applied to the test cluster (see above): {', '.join(map(str, places))}")
    names = {line.partition("/")[2] for line in applied if line.startswith("customresourcedefinition.")}

    def listed():
        return names <= set(kubectl(world, cluster, "api-resources", "--output=name") or [])

    if not wait_until(listed, cluster.server, PATIENCE, "what was defined"):
        raise refusal(cluster, "kube-apiserver")


def kubectl(world, cluster, *words):
    """The lines it prints; None when it fails."""
    argv = [cluster.bin / "kubectl", "--kubeconfig", cluster.kubeconfig, *words]
    status, output = world.run("kubectl", argv, env=cluster.environment(world.environment), stdout=subprocess.PIPE)
    return None if status else output.decode().split()


def start_controllers(world, cluster):
    return run(world, cluster, "kube-controller-manager", **{
        "kubeconfig": "kubeconfig", "controllers": ",".join(CONTROLLERS), "leader-elect": "false",
        "secure-port": 0, "root-ca-file": "apiserver.crt",
        # A namespace's end asks for every kind of object; at the usual 20 requests a second that takes seconds.
        "kube-api-qps": 500, "kube-api-burst": 1000})


def run(world, cluster, name, **flags):
    """Nothing of it outlives the world, so none needs the seconds that a graceful end takes."""
    with (cluster.directory / f"{name}.log").open("wb") as log:
        return world.start(name, [cluster.programs[name], *(f"--{flag}={value}" for flag, value in flags.items())],
                           cwd=cluster.directory, stdout=log, stderr=log, end=signal.SIGKILL)


def answers(cluster, path):
    """Whether the administrator's request succeeds. The certificate is there once the server is."""
    try:
        context = ssl.create_default_context(cafile=cluster.directory / "apiserver.crt")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
        request = urllib.request.Request(cluster.url + path, headers={"Authorization": f"Bearer {cluster.tokens[ADMIN]}"})
        with opener.open(request, timeout=5) as reply:
            return reply.status == 200
    except OSError:
        return False


def write_kubeconfig(cluster):
    authority = base64.b64encode((cluster.directory / "apiserver.crt").read_bytes()).decode()
    write_secret(cluster.kubeconfig, json.dumps({
        "apiVersion": "v1", "kind": "Config", "current-context": ADMIN,
        "clusters": [{"name": "test", "cluster": {"server": cluster.url, "certificate-authority-data": authority}}],
        "users": [{"name": name, "user": {"token": token}} for name, token in cluster.tokens.items()],
        "contexts": [{"name": name, "context": {"cluster": "test", "user": name, "namespace": "default"}}
                     for name in cluster.tokens]}, indent=2))


def said(cluster, name):
    return (cluster.directory / f"{name}.log").read_text(errors="replace")


def refusal(cluster, name):
    return Refusal(f"{name} does not start: {said(cluster, name)[-2000:]}")
