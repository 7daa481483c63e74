"""Libraries that would log too much: query strings, addresses with their secrets, every turn of a loop."""

import logging

_LOUDEST = {
    "httpx": logging.WARNING,
    "httpcore": logging.WARNING,
    "apscheduler": logging.WARNING,
} | dict.fromkeys(  # through these alerts are sent: whatever they say, they say where to
    ("apprise", "urllib3", "requests", "requests_oauthlib", "oauthlib", "slixmpp", "paho"), logging.CRITICAL + 1
)


def quieten() -> None:
    """Let only what is harmless be logged by the libraries we use."""
    for name, level in _LOUDEST.items():
        logging.getLogger(name).setLevel(level)
