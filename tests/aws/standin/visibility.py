"""Things that become visible late, as AWS's eventually consistent services let them.

IAM: "changes that you make in IAM ... take time to become visible from all possible endpoints"
https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency SQS:
"after you create a queue, you must wait at least one second"
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html

While it is set, everything made in the account is hidden for some seconds or from the first N calls that ask for it:
each thing has a name of its own kind ("key", "user", "policy", "queue", "bucket"), and `hidden` is asked by the code
that would find it. Each question counts as one of the N.
"""

import time


class Visibility:
    def __init__(self):
        self.seconds = 0
        self.calls = 0
        self.late = {}  # (kind, name) -> [time when visible, questions left]

    def put(self, seconds=0, calls=0):
        self.seconds, self.calls = seconds, calls
        if not seconds and not calls:
            self.late.clear()

    def made(self, kind, name):
        if self.seconds or self.calls:
            self.late[kind, name] = [time.monotonic() + self.seconds, self.calls]

    def gone(self, kind, name):
        self.late.pop((kind, name), None)

    def hidden(self, kind, name):
        entry = self.late.get((kind, name)) if self.late else None
        if entry is None:
            return False
        if entry[1] > 0:
            entry[1] -= 1
            return True
        if time.monotonic() < entry[0]:
            return True
        del self.late[kind, name]
        return False
