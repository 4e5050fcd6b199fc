# `sys` with a board's serial line.
import sys as _sys
from sys import *

from vb_stdio import stdin, stdout

stderr = stdout
path = _sys.path
globals().pop("atexit", None)
