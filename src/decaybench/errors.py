"""What a person can mend, and what the machine did."""


class UserError(Exception):
    """Something the user can fix; its text is one line that names the file, the key, the rule and the value.

    The command line prints it as ``error: ...`` on stderr and exits with 2.
    """

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


class MachineError(Exception):
    """Nothing the user wrote is wrong, and nothing is lost: the machine gave up; the same call goes on.

    The command line prints it as ``error: ...`` on stderr and exits with 1.
    """
