"""A small, honest kubelet for tests: it runs the real program as the pods on a real API server say.

Kubernetes' own controllers make the pods (see `Workloads`); this one is the node. Each container is a process in a root of
its own (`container`): read-only where the pod says so, as the user the pod names, with exactly the arguments, variables,
files and token that the pod has, and what the image (`image`, read from the Dockerfile) gives. What it reports, it has seen:
probes are run as written, exit statuses are the processes', and what it does not know how to do is refused, not passed over.

Two things differ from a real node. A pod's address is one of 127.0.0.0/8, and where a variable or argument says 0.0.0.0 the
program gets that address, so that many pods can have the same port. And names of Services are in /etc/hosts.
"""

from .image import Image
from .node import Kubelet, Workloads
from .services import Forwarder

__all__ = ["Forwarder", "Image", "Kubelet", "Workloads"]
