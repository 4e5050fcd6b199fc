# `micropython`, with the interrupt character kept where the PC side looks for it.
import vb_chip as _chip
import vb_regs as _r

from micropython import *


def kbd_intr(c):
    _chip.R[_r.KBD_CHAR] = c
