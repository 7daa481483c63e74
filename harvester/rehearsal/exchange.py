"""One request on its way to an answer: through the faults it meets, past the check of its token, to a dialect."""

from dataclasses import dataclass, replace
from typing import Protocol

from harvester.rehearsal.dialect import Handler, ListDialect, ListPage, WantsToken
from harvester.rehearsal.tokens import Tokens
from harvester.rehearsal.wire import Answer, Refusal, Request
from harvester.rehearsal.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request on its way to an answer; `number` counts the requests of this server, from 1."""

    world: World
    handler: Handler
    tokens: Tokens
    request: Request
    number: int
    faults: "tuple[Fault, ...]" = ()

    def proceed(self) -> Answer:
        """Let the next fault answer, or the honest server when none is left."""
        try:
            if self.faults:
                return self.faults[0].answer(replace(self, faults=self.faults[1:]))
            self._admit()
            return self.handler.answer(self.world, self.request)
        except Refusal as refusal:
            return refusal.answer

    def cursor(self) -> str | None:
        return self._lists.cursor_of(self.request)

    def page(self) -> ListPage:
        return self.page_from(self.cursor())

    def page_from(self, cursor: str | None) -> ListPage:
        self._admit()
        return self._lists.read_page(self.world, self.request, cursor)

    def write(self, page: ListPage) -> Answer:
        return self._lists.write_page(self.world, self.request, page)

    def invented_cursor(self) -> str:
        return self._lists.invented_cursor(self.number)

    def _admit(self) -> None:
        if isinstance(self.handler, WantsToken):
            self.handler.admit(self.request, self.tokens)

    @property
    def _lists(self) -> ListDialect:
        if not isinstance(self.handler, ListDialect):
            raise TypeError(f"{type(self.handler).__name__} lists no likers, so no fault of a list can strike it")
        return self.handler


class Fault(Protocol):
    """Something a server does wrong, or asks for."""

    def answer(self, exchange: Exchange, /) -> Answer: ...
