"""What a person sees: a line per step, live on a terminal, plain elsewhere, and a table at the end."""

import os
import shutil
import sys
import time

SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
BOLD, DIM, GREEN, RED, CLEAR = "1", "2", "32", "31", "\r\x1b[2K"


class Screen:
    def __init__(self, out=sys.stdout):
        self.out = out
        self.live = out.isatty() and os.environ.get("TERM") != "dumb"
        unicode = (out.encoding or "").lower().replace("-", "") == "utf8"
        self.good, self.bad, self.step_mark = ("✓", "✗", "▸") if unicode else ("ok", "FAILED", "-")
        self.spinner = SPINNER if unicode else "|/-\\"
        self.turn = 0
        self.drawn = 0

    def paint(self, code, text):
        return f"\x1b[{code}m{text}\x1b[0m" if self.live else text

    def say(self, text=""):
        """A line that stays."""
        self.erase()
        print(text, file=self.out, flush=True)

    def note(self, text):
        self.say(f"    {text}")

    def step(self, text):
        self.say(f"{self.paint(BOLD, self.step_mark + ' ' + text)}")

    def moving(self, lines):
        """Lines that are drawn over again; nothing where the output is not a terminal."""
        if not self.live:
            return
        self.erase()
        width = shutil.get_terminal_size().columns - 1
        self.turn += 1
        mark = self.spinner[self.turn % len(self.spinner)]
        self.out.write("\n".join(f"    {mark} {line}"[:width] for line in lines))
        self.out.flush()
        self.drawn = len(lines)

    def erase(self):
        if self.drawn:
            self.out.write(CLEAR + "\x1b[1A\x1b[2K" * (self.drawn - 1))
            self.out.flush()
        self.drawn = 0

    def done(self, text, seconds):
        self.note(f"{self.paint(GREEN, self.good)} {text} ({seconds:.1f} s)")

    def failed(self, text):
        self.note(f"{self.paint(RED, self.bad)} {text}")

    def table(self, rows):
        """Rows of (step, seconds, good)."""
        width = max((len(name) for name, _, _ in rows), default=4)
        self.say(self.paint(BOLD, f"{'Step':<{width}}  {'Seconds':>7}  Result"))
        for name, seconds, good in rows:
            result = self.paint(GREEN, "ok") if good else self.paint(RED, "FAILED")
            self.say(f"{name:<{width}}  {seconds:>7.1f}  {result}")
        self.say(f"{'Total':<{width}}  {sum(s for _, s, _ in rows):>7.1f}  {verdict(rows)}")


def verdict(rows):
    bad = [name for name, _, good in rows if not good]
    return f"{len(bad)} of {len(rows)} failed" if bad else f"all {len(rows)} as they should be"


class Clock:
    def __init__(self):
        self.start = time.monotonic()

    def seconds(self):
        return time.monotonic() - self.start
