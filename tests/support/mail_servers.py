"""Mail servers for tests: real ones on a port of this machine, that fall silent or refuse mails."""

import socket
import threading
import time
from contextlib import suppress

ANSWERS = {"EHLO": "250 ok", "MAIL": "250 ok", "RCPT": "250 ok", "DATA": "354 go on", "QUIT": "221 bye", "RSET": "250 ok"}


class MailServer:
    """A mail server on a port of this machine. It falls silent when it gets a command of `silent_at` ("" is the greeting), and
    answers a command of `refusals` with what that says."""

    def __init__(self):
        self.silent_at = set()
        self.refusals = {}
        self.letters = []
        self.connections = 0
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        with suppress(OSError):
            while True:
                caller, _ = self.listening.accept()
                self.connections += 1
                threading.Thread(target=self._answer, args=(caller,), daemon=True).start()

    def _answer(self, caller):
        with suppress(OSError), caller, caller.makefile("rw", newline="\r\n") as lines:
            self._say(lines, "", "220 hello")
            while line := lines.readline():
                word = line[:4].upper().strip()
                self._say(lines, word, self.refusals.get(word, ANSWERS[word]))
                if word == "DATA" and word not in self.refusals:
                    self._take_letter(lines)

    def _take_letter(self, lines):
        letter = []
        while (text := lines.readline()) and text.rstrip("\r\n") != ".":
            letter.append(text.rstrip("\r\n"))
        if text:
            self._say(lines, ".", "250 taken")
            self.letters.append("\n".join(letter))

    def _say(self, lines, word, answer):
        while word in self.silent_at:
            time.sleep(0.05)
        lines.write(answer + "\r\n")
        lines.flush()
