"""Figures as a person reads them, with the aim beside those that have one."""

# What issue and peers were measured by: (path into the results, which way, bound).
AIMS = {
    "start.start_to_first_catalog_s": ("<=", 0.2), "start.idle_mib": ("<=", 20),
    "requests.catalog.16 connections.of_empty": (">=", 0.25),
    "requests.last_operation.16 connections.per_s": (">=", 15_000),
    "requests.fetch_instance.16 connections.per_s": (">=", 15_000),
    "requests.catalog at 2000/s.16 connections.p99_ms": ("<", 5),
    "requests.last_operation at 2000/s.16 connections.p99_ms": ("<", 5),
    "amazon.ratio": ("<=", 1.2),
    "provisions.with AWS slow.16 connections.per_s": (">=", 1_500),
    "provisions.with AWS answering.16 connections.per_s": (">=", 1_500),
    "crowd.rss_mib": ("<", 100),
    "kubernetes.round_s": ("<", 0.3),
}


def show(path, value, depth=0):
    name = path.rsplit(".", 1)[-1]
    if isinstance(value, dict):
        print(f"{'  ' * depth}{name}")
        for key, inner in value.items():
            show(f"{path}.{key}", inner, depth + 1)
        return
    print(f"{'  ' * depth}{name:<{34 - 2 * depth}} {written(value)}{aim(path, value)}", flush=True)


def written(value):
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if not isinstance(value, float):
        return f"{value:,}" if isinstance(value, int) else str(value)
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def aim(path, value):
    if path not in AIMS:
        return ""
    way, bound = AIMS[path]
    met = {"<=": value <= bound, ">=": value >= bound, "<": value < bound}[way]
    return f"   (aim: {way} {bound:,}; {'met' if met else 'NOT MET'})"
