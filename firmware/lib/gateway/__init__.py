# The gateway, as its owner meets it at the Python prompt: `import gateway`, then gateway.help().
# That import is light: what the functions need is in gateway.repl, and dropped after each call.
import gc
import sys

VERSION = "0.1.0"
TRIAL = "the new settings are to be checked"  # why gateway.setup() restarts the board

_board = None
_outbox = None  # what was measured and not yet sent survives a stop
_ran = None  # (status, log) of the last run

# What the above needs. The rest is dropped after a run, to give the prompt room to work.
_KEPT = (
    "gateway.clock",
    "gateway.log",
    "gateway.outbox",
    "gateway.settings",
    "gateway.status",
    "echonet.dates",
)


def use(board):
    """Work with this board from now on."""
    global _board
    _board = board


def board():
    """The board in use: at first the one that the settings name, `board.type`."""
    if _board is None:
        import boards
        from gateway.settings import Settings

        use(boards.pick(Settings(boards.nvs())["board.type"]))
    return _board


def nvs():
    """Where the settings are. They can be read and set without setting up a board's hardware."""
    if _board:
        return _board.nvs
    import boards

    return boards.nvs()


def drop(*names):
    """Forget modules of this package, so that their memory is free again."""
    for name in names:
        sys.modules.pop("gateway." + name, None)
        globals().pop(name, None)
    gc.collect()


def start(check=None):
    """Run the gateway until Ctrl-C or `stop` -> None.

    With a `check` ("network", "server" or "radio") only until that has its result -> that dict.
    """
    global _outbox, _ran
    _ran = app = None
    gc.collect()
    try:
        from gateway.app import App

        app = App(board(), _outbox)
        _outbox = app.outbox  # pyright: ignore[reportAttributeAccessIssue]
        _ran = (app.status, app.log)  # pyright: ignore[reportAttributeAccessIssue]
        return app.run(check)
    except Exception:
        from gateway.led import PATTERNS

        board().led(PATTERNS["fault"])
        raise
    finally:
        app = None
        tidy()


def tidy():
    """Leave loaded only what the prompt needs."""
    for name in list(sys.modules):
        package, _, module = name.partition(".")
        if module and name not in _KEPT:
            if package == "gateway":
                globals().pop(module, None)
            if package in ("gateway", "wisun", "echonet"):
                sys.modules.pop(name)
    _own()
    gc.collect()


# A function of the prompt, loaded when it is called.
class _Word:
    def __init__(self, name):
        self.name = name

    def __call__(self, *args, **keys):
        if keys:
            args = None
        if self.name == "run" and args == ():
            return _run()  # with nothing else loaded: this may take years
        try:
            from gateway import repl

            result = repl.call(self.name, args)
        finally:
            drop("repl", "secret", "wizard", "line")
            drop("view", "words", "pieces", "summary", "track", "led")
            drop("ring", "settings_check", "settings_edit", "settings_table", "twins")
            _own()
        if isinstance(result, tuple):  # what to check, now that all this is out of memory
            from gateway import asked

            try:
                asked.run(result[0])
            finally:
                drop("asked")
                _own()
            return None
        return result

    # `gateway.show` without its brackets is a common mistake.
    def __repr__(self):
        return "Type gateway.%s()" % self.name


def _run():
    again = _outbox is not None
    try:
        start()
    except KeyboardInterrupt:
        _own()  # it came before there was anything to stop, or after
    except MemoryError:
        if not again:
            raise
        print("The last run left the memory in splinters: gateway.reboot() starts afresh.")
        return
    print("The gateway is stopped. gateway.run() starts it, gateway.help() tells more.")


# `from gateway import ntp` comes here on MicroPython, and so does a mistyped function.
def __getattr__(name):
    if name.startswith("_"):
        raise AttributeError(name)
    try:
        __import__("gateway." + name)
    except ImportError as e:
        if not str(e).endswith("'gateway.%s'" % name):
            raise
        from gateway import view

        text = view.no_such(name)
        drop("view", "summary", "track", "led")
        _own()
        raise AttributeError(text)
    return sys.modules["gateway." + name]


run = _Word("run")
help = _Word("help")
show = _Word("show")
set = _Word("set")
check = _Word("check")
reboot = _Word("reboot")
walk = _Word("walk")
setup = _Word("setup")


# Loading the modules gateway.log and gateway.status, once each, puts them where these two were.
def _own():
    global log, status
    log = _Word("log")
    status = _Word("status")


_own()
