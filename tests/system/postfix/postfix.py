"""A Postfix of the test's own: configuration, queue, mailboxes and ports below the test's folder."""
import glob, os, pwd, shutil, signal, smtplib, subprocess

from policy import connect, free_port, wait_until

os.environ["PATH"] += ":/usr/sbin:/sbin"

MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/maillog
maillog_file_prefixes = {folder}
myhostname = mx.example.net
mydestination =
alias_maps =
alias_database =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.77/32
smtputf8_enable = no
biff = no
message_size_limit = 60000000
mailbox_size_limit = 0
virtual_mailbox_limit = 0
virtual_mailbox_domains = example.net
virtual_mailbox_maps = static:all/
virtual_mailbox_base = {folder}/mail
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
default_transport = discard
relay_transport = discard
smtpd_authorized_xclient_hosts = 127.0.0.0/8
smtpd_peername_lookup = no
smtpd_error_sleep_time = 0
smtpd_client_connection_count_limit = 0
smtpd_relay_restrictions = permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination
milter_default_action = accept
"""

MASTER = """
127.0.0.1:{port} inet n - n - 200 smtpd
postlog unix-dgram n - n - 1 postlogd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
virtual unix - n n - - virtual
smtp unix - - n - - discard
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
"""


DOVECOT = """
base_dir = {folder}/dovecot/run
state_dir = {folder}/dovecot/state
protocols =
ssl = no
log_path = {folder}/dovecot/log
auth_mechanisms = plain
disable_plaintext_auth = no
passdb {{
  driver = passwd-file
  args = {folder}/dovecot/users
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home=/nonexistent
}}
service auth {{
  unix_listener {folder}/queue/private/auth {{
    mode = 0660
    user = postfix
    group = postfix
  }}
}}
"""


class Child:
    """A process that the test ends."""

    def __init__(self, process, end=signal.SIGTERM):
        self.process = process
        self.end = end

    def kill(self):
        if self.process.poll() is None:
            self.process.send_signal(self.end)
            try:
                self.process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Postfix:
    """Started with further lines of main.cf, and with a Dovecot for USER: (name, password). Lies in tap.daemons,
    which stops it."""

    def __init__(self, tap, *lines, user=None):
        self.tap = tap
        self.port = free_port()
        self.folder = tap.path("postfix")
        nobody = pwd.getpwnam("nobody")
        self.config = self.path("conf")
        for name in ("conf", "queue", "data", "mail"):
            os.makedirs(self.path(name))
        os.chmod(self.folder, 0o755)
        shutil.chown(self.path("data"), "postfix")
        shutil.chown(self.path("mail"), "nobody")
        values = {"folder": self.folder, "uid": nobody.pw_uid, "gid": nobody.pw_gid, "port": self.port}
        with open(self.path("conf/main.cf"), "w") as f:
            f.write(MAIN.format(**values) + "\n".join(lines) + "\n")
        with open(self.path("conf/master.cf"), "w") as f:
            f.write(MASTER.format(**values))
        tap.daemons.insert(0, self)
        if user:
            self.start_dovecot(*user)
        self.out = subprocess.run(["postfix", "-c", self.config, "start"], capture_output=True, text=True)
        wait_until(self.listens)

    def path(self, name):
        return os.path.join(self.folder, name)

    def start_dovecot(self, user, password):
        """Its authentication alone, with one user; for smtpd_sasl_path = private/auth."""
        os.makedirs(self.path("dovecot"))
        os.mkdir(self.path("queue/private"), 0o700)
        shutil.chown(self.path("queue/private"), "postfix")
        with open(self.path("dovecot/users"), "w") as f:
            f.write(f"{user}:{{PLAIN}}{password}\n")
        with open(self.path("dovecot/dovecot.conf"), "w") as f:
            f.write(DOVECOT.format(folder=self.folder))
        dovecot = subprocess.Popen(["dovecot", "-F", "-c", self.path("dovecot/dovecot.conf")],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.tap.daemons.append(Child(dovecot))
        wait_until(lambda: os.path.exists(self.path("queue/private/auth")))

    def listens(self):
        try:
            connect(("127.0.0.1", self.port)).close()
            return True
        except OSError:
            return False

    def log(self):
        with open(self.path("maillog"), errors="replace") as f:
            return f.read()

    def kill(self):
        subprocess.run(["postfix", "-c", self.config, "stop"], capture_output=True)

    def held(self):
        return len([f for f in glob.glob(self.path("queue/hold/**"), recursive=True) if os.path.isfile(f)])

    def client(self, address="192.0.2.1", name="[UNAVAILABLE]", login=None, helo="client.example.org"):
        """An SMTP session that Postfix takes for one of another client, perhaps of a user who logs in: (name, password)."""
        smtp = smtplib.SMTP("127.0.0.1", self.port, helo, timeout=60)
        smtp.ehlo()
        code, text = smtp.docmd("XCLIENT", f"NAME={name} ADDR={address}")
        assert code == 220, (code, text)
        smtp.ehlo()
        if login:
            smtp.login(*login)
        return smtp

    def send(self, message, sender="sender@example.org", recipients=("al@example.net",), **client):
        """The last reply: (code, text)."""
        with self.client(**client) as smtp:
            smtp.mail(sender)
            for recipient in recipients:
                reply = smtp.rcpt(recipient)
            if reply[0] != 250:
                return reply
            code, text = smtp.docmd("DATA")
            if code != 354:
                return code, text
            lines = message.split(b"\n")
            data = b"\r\n".join(b"." + line if line[:1] == b"." else line for line in lines)
            smtp.sock.sendall(data + (b"" if data.endswith(b"\r\n") else b"\r\n") + b".\r\n")
            return smtp.getreply()

    def mailbox(self):
        """Delivered messages, the oldest first."""
        files = glob.glob(self.path("mail/all/new/*"))
        messages = []
        for path in sorted(files, key=lambda f: (os.stat(f).st_mtime_ns, f)):
            with open(path, "rb") as f:
                messages.append(f.read())
        return messages

    def delivered(self, part):
        """The delivered message that has PART in it, once it is there; None if it never is."""
        def find():
            return next((m for m in self.mailbox() if part in m), None)
        return wait_until(find)
