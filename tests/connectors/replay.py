"""Where these tests found the replay before it moved into the kit."""

from harvester.kit.recordings import HIDDEN_SECRET as TOKEN
from harvester.kit.recordings import Exchange, Recording
from harvester.kit.replay import Answer, always, open_connector, recognise, session

__all__ = ["TOKEN", "Answer", "Exchange", "Recording", "always", "open_connector", "recognise", "session"]
