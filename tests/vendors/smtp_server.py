"""A real SMTP server (aiosmtpd) with a certificate made for it: STARTTLS and AUTH are demanded, unless it is started as
`smtp_server.py FOLDER plain`. Writes its authority to FOLDER/ca.pem and its port as the first line. Then reads one JSON
object a line and answers each with one: {"refuse": ["451 …", …]} (the next mails, in order), {"hold": true|false} (mails
are taken, and the word is kept back), {"mails": true} (everything taken so far)."""

import asyncio
import json
import ssl
import sys
from email import message_from_bytes, policy
from pathlib import Path

import trustme
from aiosmtpd.controller import UnthreadedController
from aiosmtpd.smtp import AuthResult

USER, PASSWORD = "lychgate", "mail-password-0123456789"


def plain_lines(text):
    """On the network lines end with CRLF, and the last one is ended once more."""
    return text.replace("\r\n", "\n").rstrip("\n")


class Post:
    def __init__(self):
        self.mails, self.refuse, self.open = [], [], asyncio.Event()
        self.open.set()

    async def handle_DATA(self, server, session, envelope):
        if self.refuse:
            return self.refuse.pop(0)
        message = message_from_bytes(envelope.content, policy=policy.default)
        leaves = [part for part in message.walk() if not part.is_multipart()]
        parts = {leaf.get_content_type(): plain_lines(leaf.get_content()) for leaf in leaves}
        self.mails.append({
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "headers": {name.lower(): str(value) for name, value in message.items()},
            "text": parts.get("text/plain"),
            "html": parts.get("text/html"),
            "encrypted": session.ssl is not None,
            "user": session.auth_data.login.decode() if session.auth_data else None,
        })
        await self.open.wait()
        return "250 2.0.0 taken"

    def told(self, asked):
        if "refuse" in asked:
            self.refuse = asked["refuse"]
        if "hold" in asked:
            self.open.clear() if asked["hold"] else self.open.set()
        return self.mails if "mails" in asked else {}


def known(server, session, envelope, mechanism, data):
    good = (data.login, data.password) == (USER.encode(), PASSWORD.encode())
    return AuthResult(success=good, handled=False, auth_data=data)


async def main(folder, plain):
    post = Post()
    settings = {}
    if not plain:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(folder / "ca.pem"))
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert("localhost").configure_cert(context)
        settings = {"tls_context": context, "require_starttls": True, "auth_required": True, "authenticator": known}
    loop = asyncio.get_running_loop()
    controller = UnthreadedController(post, hostname="127.0.0.1", port=0, loop=loop, **settings)
    server = await loop.create_server(controller._factory_invoker, host="127.0.0.1", port=0)
    print(server.sockets[0].getsockname()[1], flush=True)
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        print(json.dumps(post.told(json.loads(line))), flush=True)


asyncio.run(main(Path(sys.argv[1]), "plain" in sys.argv[2:]))
