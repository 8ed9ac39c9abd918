"""Text that the kubelet shall not expand.

The kubelet replaces ``$(VAR)`` in command, args and env, whoever wrote it, and reads ``$$`` as one
``$``. A failure message with ``$(TOKEN)`` in it would pull a secret into a program's environment.
"""


def escape(text: str) -> str:
    """``text`` with every ``$`` doubled, so that a container gets it as it is."""
    return text.replace("$", "$$")
