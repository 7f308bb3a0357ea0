"""What is mounted into pods, as a kubelet writes it: in a directory that is exchanged as a whole when something changes."""

import base64
import os
import secrets
import shutil
from pathlib import Path


class Missing(Exception):
    """What a pod refers to is not there (yet)."""


class Volume:
    def __init__(self, api, pod, wanted, directory):
        self.api, self.pod, self.wanted = api, pod, wanted
        self.directory = Path(directory)
        self.directory.mkdir(parents=True)
        self.group = pod["spec"].get("securityContext", {}).get("fsGroup")
        self.token = None
        self.last = None

    def refresh(self):
        """Brings it up to date. An emptyDir is left as it is."""
        if "emptyDir" in self.wanted:
            self.own(self.directory, 0o777)
            return
        files = self.files()
        if files != self.last:
            self.write(files)
            self.last = files

    def files(self):
        """{path: (content, mode)}"""
        wanted = self.wanted
        for kind in ("secret", "configMap", "projected", "downwardAPI"):
            if kind in wanted:
                mode = wanted[kind].get("defaultMode", 0o644)
                sources = wanted[kind].get("sources", []) if kind == "projected" else [{kind: wanted[kind]}]
                return {path: (content, mode if own is None else own)
                        for source in sources for path, (content, own) in self.source(source).items()}
        raise NotImplementedError(f"a volume of this sort: {wanted}")

    def source(self, source):
        [(kind, of)] = source.items()
        if kind == "serviceAccountToken":
            return {of["path"]: (self.account_token(of), 0o600)}
        if kind == "downwardAPI":
            return {item["path"]: (field(self.pod, item["fieldRef"]["fieldPath"]).encode(),
                                   item.get("mode")) for item in of["items"]}
        data = content(self.api, self.pod["metadata"]["namespace"], kind, of.get("secretName") or of["name"],
                       of.get("optional"))
        if "items" not in of:
            return {key: (value, None) for key, value in data.items()}
        lacking = [item["key"] for item in of["items"] if item["key"] not in data]
        if lacking and not of.get("optional"):
            raise Missing(f"{kind} {of.get('secretName') or of['name']} has no key {lacking[0]}")
        return {item["path"]: (data[item["key"]], item.get("mode")) for item in of["items"] if item["key"] in data}

    def account_token(self, of):
        """Bound to the pod, as the node's own request for it is."""
        if self.token is None:
            meta, spec = self.pod["metadata"], self.pod["spec"]
            request = {"spec": {"expirationSeconds": of.get("expirationSeconds", 3600),
                                "audiences": [of["audience"]] if "audience" in of else None,
                                "boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": meta["name"],
                                                   "uid": meta["uid"]}}}
            path = f"/api/v1/namespaces/{meta['namespace']}/serviceaccounts/{spec['serviceAccountName']}/token"
            self.token = self.api.call("POST", path, request)["status"]["token"].encode()
        return self.token

    def write(self, files):
        fresh = self.directory / f"..{secrets.token_hex(4)}"
        for path, (data, mode) in files.items():
            file = fresh / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
            # The pod's group may read what is mounted for it.
            self.own(file, mode | 0o440 if self.group is not None else mode)
        fresh.mkdir(exist_ok=True)
        link, former = self.directory / "..data", None
        if link.is_symlink():
            former = self.directory / os.readlink(link)
        half = self.directory / "..half"
        half.symlink_to(fresh.name)
        half.replace(link)
        tops = {Path(path).parts[0] for path in files}
        for top in tops:
            if not (self.directory / top).is_symlink():
                (self.directory / top).symlink_to(Path("..data", top))
        for entry in self.directory.iterdir():
            if not entry.name.startswith("..") and entry.name not in tops:
                entry.unlink()
        if former:
            shutil.rmtree(former, ignore_errors=True)

    def own(self, path, mode):
        os.chmod(path, mode)
        if self.group is not None and os.geteuid() == 0:
            os.chown(path, 0, self.group)


def content(api, namespace, kind, name, optional=False):
    """{key: bytes} of a Secret or ConfigMap."""
    plural = {"secret": "secrets", "configMap": "configmaps"}[kind]
    found = api.get(f"/api/v1/namespaces/{namespace}/{plural}/{name}", missing=True)
    if found is None:
        if optional:
            return {}
        raise Missing(f"there is no {kind} {namespace}/{name}")
    if kind == "secret":
        return {key: base64.b64decode(value) for key, value in found.get("data", {}).items()}
    return {key: value.encode() for key, value in found.get("data", {}).items()} | {
        key: base64.b64decode(value) for key, value in found.get("binaryData", {}).items()}


def field(pod, path):
    """A field of the pod, for the downward API."""
    known = {"metadata.name": pod["metadata"]["name"], "metadata.namespace": pod["metadata"]["namespace"],
             "metadata.uid": pod["metadata"]["uid"], "spec.serviceAccountName": pod["spec"].get("serviceAccountName", ""),
             "spec.nodeName": pod["spec"].get("nodeName", "")}
    return known[path]


def variables(api, pod, container, base):
    """The environment of a container: what the image sets, what Kubernetes sets, what the pod says."""
    namespace, result = pod["metadata"]["namespace"], dict(base)
    if container.get("envFrom"):
        raise NotImplementedError("envFrom")
    for one in container.get("env", []):
        source = one.get("valueFrom", {})
        if not source:
            result[one["name"]] = one.get("value", "")
        elif "fieldRef" in source:
            result[one["name"]] = field(pod, source["fieldRef"]["fieldPath"])
        else:
            [(kind, of)] = source.items()
            data = content(api, namespace, {"secretKeyRef": "secret", "configMapKeyRef": "configMap"}[kind], of["name"],
                           of.get("optional"))
            if of["key"] in data:
                result[one["name"]] = data[of["key"]].decode()
            elif not of.get("optional"):
                raise Missing(f"{of['name']} has no key {of['key']}")
    return result
