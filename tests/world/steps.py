"""Steps of a demonstration: each is shown, timed and judged."""

import urllib.error
from contextlib import contextmanager

from show import Clock


class Wrong(AssertionError):
    """Something did not do what it says."""


class Steps:
    """`rows`: [(title, seconds, whether it was good)]."""

    def __init__(self, screen):
        self.screen, self.rows = screen, []

    @property
    def good(self):
        return bool(self.rows) and all(ok for _, _, ok in self.rows)

    @contextmanager
    def step(self, title, must=False):
        """What goes wrong is told, and whoever took the step goes on to give back what it made, unless it `must` be good."""
        self.screen.say()
        self.screen.step(title)
        clock, ok = Clock(), True
        try:
            yield
        except (Wrong, OSError, urllib.error.URLError, KeyError) as error:
            if must:
                raise
            ok = False
            self.screen.failed(f"{error}" if isinstance(error, Wrong) else f"{type(error).__name__}: {error}")
        self.rows.append((title, clock.seconds(), ok))
