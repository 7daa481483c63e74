"""Which posts this process reads, so that a night or a closing finds no post taken: it comes before ordinary polls.

A poll of a post that is claimed ends at its page, and another one does not begin; the claim's own sweep goes on there.
"""

from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from threading import Condition

_SECONDS_FOR_A_PAGE = 30


class Claims:
    """Shared by the threads of a daemon; posts are named by their entry's id."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._polled: Counter[int] = Counter()
        self._claimed: Counter[int] = Counter()

    @contextmanager
    def poll(self, entry_ids: Collection[int]) -> Iterator[bool]:
        """Poll these posts for this block, or give False when one of them is claimed."""
        with self._changed:
            is_free = not self.are_claimed(entry_ids)
            self._polled.update(entry_ids if is_free else ())
        try:
            yield is_free
        finally:
            with self._changed:
                self._polled.subtract(entry_ids if is_free else ())
                self._changed.notify_all()

    def are_claimed(self, entry_ids: Collection[int]) -> bool:
        """Tell whether somebody waits for one of these posts, or reads it to its end."""
        return any(self._claimed[entry_id] > 0 for entry_id in entry_ids)

    @contextmanager
    def claim(self, entry_ids: Collection[int]) -> Iterator[frozenset[int]]:
        """Keep polls off these posts for this block; give those that still have one, which ends at its page."""
        with self._changed:
            self._claimed.update(entry_ids)
            polled = self._still_polled(entry_ids)
        try:
            yield polled
        finally:
            with self._changed:
                self._claimed.subtract(entry_ids)

    def wait_for(self, entry_ids: Collection[int]) -> None:
        """Wait until these posts have no poll, as long as a page may take; one that hangs holds up nobody for ever."""
        with self._changed:
            self._changed.wait_for(lambda: not self._still_polled(entry_ids), timeout=_SECONDS_FOR_A_PAGE)

    def _still_polled(self, entry_ids: Collection[int]) -> frozenset[int]:
        return frozenset(entry_id for entry_id in entry_ids if self._polled[entry_id] > 0)
