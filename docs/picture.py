"""Draw the README's picture: the end of what `harvester demo` prints, as rich sees it. Run it with `make picture`."""

import os
import re
import subprocess
import sys
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.text import Text

_PICTURE = Path(__file__).parent / "demo.svg"
_WIDTH = 104


def main() -> None:
    """Run the demo and keep what it prints from the first poll on."""
    harvester = Path(sys.executable).parent / "harvester"
    environment = os.environ | {"FORCE_COLOR": "1", "COLUMNS": str(_WIDTH), "TERM": "xterm-256color"}
    done = subprocess.run([harvester, "demo"], env=environment, capture_output=True, text=True, check=True)
    printed = Text.from_ansi(done.stdout)
    start, end = printed.plain.index("Two weeks"), printed.plain.index("What to type next")
    console = Console(record=True, width=_WIDTH, file=StringIO())
    console.print(Text("$ harvester demo\n…"), printed[start:end], sep="\n")
    console.save_svg(str(_PICTURE), title="harvester demo")
    drawn = _PICTURE.read_text(encoding="utf-8")
    _PICTURE.write_text(re.sub(r"@font-face \{.*?\}\s*", "", drawn, flags=re.DOTALL), encoding="utf-8")


if __name__ == "__main__":
    main()
