"""Our part of each service; `registry` says how a part is hooked in. A new service is a new file named in
`registry.MODULES`.
"""
