from gateway.line import Line


class Screen:
    def __init__(self):
        self.text = ""

    def echo(self, text):
        self.text += text


# Feeds the bytes; -> (the lines completed, the line editor)
def typed(data, limit=20, echo=None):
    line = Line(limit, echo)
    done = []
    for c in data:
        text = line.feed(c)
        if text is not None:
            done.append((text, line.lost))
    return done, line


def test_cr_lf_and_cr_lf_each_end_one_line():
    for end in (b"\r", b"\n", b"\r\n"):
        done, _ = typed(b"help" + end + b"log" + end)
        assert done == [("help", False), ("log", False)], end


def test_empty_lines_are_lines():
    assert typed(b"\r\r\n\n")[0] == [("", False)] * 3


def test_echo_shows_what_was_typed():
    screen = Screen()
    typed(b"hi\x7f\x08\x08ok\r", 20, screen.echo)
    assert screen.text == "hi\b \b\b \bok\n"


def test_nothing_is_shown_without_echo_and_backspace_works_all_the_same():
    assert typed(b"helq\x7fp\x08\x7fp\r")[0] == [("hep", False)]


def test_ctrl_u_takes_the_line_back():
    screen = Screen()
    done, _ = typed(b"abc\x15log\r", 20, screen.echo)
    assert done == [("log", False)]
    assert screen.text == "abc" + "\b \b" * 3 + "log\n"


def test_arrow_keys_and_the_like_leave_nothing():
    keys = b"\x1b[A\x1b[1;5C\x1bOP\x1b[3~\x1bx"
    assert typed(b"st" + keys + b"op\r")[0] == [("stop", False)]


def test_control_bytes_are_ignored():
    assert typed(b"\x00\x01l\x04o\x05\x07g\x09\r")[0] == [("log", False)]


def test_a_line_is_bounded_and_says_so():
    done, line = typed(b"x" * 500)
    assert line.text == "x" * 20
    done, line = typed(b"x" * 21 + b"\rlog\r")
    assert done == [("x" * 20, True), ("log", False)]
    assert typed(b"x" * 20 + b"\r")[0] == [("x" * 20, False)]


def test_bytes_outside_ascii_are_left_out_and_it_says_so():
    assert typed("ké\r\nlog\r".encode())[0] == [("k", True), ("log", False)]
    assert typed(bytes(range(128, 256)) + b"\r")[0] == [("", True)]


def test_ctrl_u_makes_a_clean_start():
    assert typed(b"\xff\xfe\x15log\r")[0] == [("log", False)]
