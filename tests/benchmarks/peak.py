"""Run a command and print the most memory it held, in MB: `python peak.py COMMAND...`.

A process of its own, because a child inherits the peak of whoever starts it until it becomes its own program.
"""

import os
import subprocess
import sys

with subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE) as child:
    output = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)

bytes_each = 1 if sys.platform == "darwin" else 1024
sys.stderr.write(output.decode())
sys.stdout.write(f"{usage.ru_maxrss * bytes_each / 1e6:.1f}\n")
sys.exit(child.returncode)
