# Starts the gateway. Ctrl-C, or `stop` at its console, ends here in the Python prompt; what goes
# wrong is shown and ends in a restart, never in a prompt that nobody looks at.
import gc

gc.threshold(4096)  # before anything is loaded: late collections leave the heap in splinters

import sys
import time

_PAUSE_S = 10

board = None
try:
    import gateway

    board = gateway.board()
    gateway.run()
except Exception as e:  # noqa: BLE001  there is nobody above to tell it to
    sys.print_exception(e)
    print("The board restarts in %d s. Ctrl-C gives the Python prompt instead." % _PAUSE_S)
    time.sleep(_PAUSE_S)
    if board:
        board.reset()
    sys.exit()  # nothing could be loaded: a soft reset
