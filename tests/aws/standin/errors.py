"""What a call may end in besides a result."""


class AwsError(Exception):
    """An error that AWS itself would answer; `wire` gives it the protocol's form.

    `fields` are further members of the error's body (S3 puts BucketName there, for example).
    """

    def __init__(self, code, message, status=400, headers=None, **fields):
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.headers = headers or {}
        self.fields = fields


class Gap(AwsError):
    """Neither we nor moto can do this. 501, so that no client takes it for "not found" and no SDK retries it."""

    def __init__(self, service, operation, why, code="StandInNotImplemented"):
        super().__init__(code, f"{service}:{operation}: {why}", 501)


class Cut(Exception):
    """The connection is to be cut without an answer (fault modes `refuse` and `lose_reply`)."""
