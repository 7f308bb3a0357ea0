"""The record of calls: how many of which operation, by whom, and how they ended."""

from collections import Counter, deque

KEPT = 10_000


class Journal:
    def __init__(self, keep_list=True):
        self.total = 0
        self.counts = Counter()
        self.calls = deque(maxlen=KEPT) if keep_list else None

    def begin(self, call):
        """Counts a call as it arrives, so that calls which are refused, cut or still running are counted, too."""
        self.total += 1
        self.counts[call.name] += 1
        entry = {"service": call.service, "operation": call.operation, "principal": None, "status": None}
        if self.calls is not None:
            self.calls.append(entry)
        return entry

    def clear(self):
        self.__init__(self.calls is not None)

    def as_json(self):
        shown = {"total": self.total, "counts": dict(sorted(self.counts.items()))}
        if self.calls is not None:
            shown["calls"] = list(self.calls)
        return shown
