#!/usr/bin/env python3
"""One SMTP dialogue, by a client that Postfix takes for another one (XCLIENT).

usage: dialogue.py PORT [--addr A] [--name N] [--from S] [--to R]... [--data] [--auth USER:PASSWORD]
Prints each reply to RCPT, and to DATA or the message, as "RCPT 450 4.2.0 ..." or "DATA 250 ...".
"""
import argparse, smtplib, sys

arguments = argparse.ArgumentParser()
arguments.add_argument("port", type=int)
arguments.add_argument("--addr", default="192.0.2.1")
arguments.add_argument("--name", default="[UNAVAILABLE]")
arguments.add_argument("--from", dest="sender", default="sender@example.org")
arguments.add_argument("--to", action="append", default=[])
arguments.add_argument("--data", action="store_true", help="send a message to who was accepted")
arguments.add_argument("--auth")
a = arguments.parse_args()


def show(stage, reply):
    print(stage, reply[0], reply[1].decode("ascii", "replace").replace("\n", " / "))
    return reply[0] // 100 == 2


with smtplib.SMTP("127.0.0.1", a.port, "client.test", timeout=30) as smtp:
    smtp.ehlo()
    code, text = smtp.docmd("XCLIENT", f"NAME={a.name} ADDR={a.addr}")
    if code != 220:
        sys.exit(f"XCLIENT: {code} {text}")
    smtp.ehlo()
    if a.auth:
        smtp.login(*a.auth.split(":"))
        print("AUTH 235")
    smtp.mail(a.sender)
    accepted = [show("RCPT", smtp.rcpt(recipient)) for recipient in a.to]
    if a.data and any(accepted):
        code, text = smtp.docmd("DATA")
        if code != 354:
            show("DATA", (code, text))
        else:
            smtp.send(b"From: <s@example.org>\r\nSubject: %s\r\n\r\nA message.\r\n.\r\n" % a.to[0].encode())
            show("DATA", smtp.getreply())
