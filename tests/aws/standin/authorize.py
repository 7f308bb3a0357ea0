"""May this identity make this call?"""


def authorize(call):
    pass
