#!/usr/bin/env python3
"""The page in a real Chromium, driven by chromedriver over plain WebDriver.

Screenshots of both widths in both themes are kept under tests/system/screenshots of the build
directory.
"""
import base64, json, os, re, shutil, subprocess, urllib.request

from web import BUILD, Daemon, Tap, free_port, wait_for

SHOTS = f"{BUILD}/tests/system/screenshots"
WICKED = '"><script>document.title="stolen"</script>'


class Browser:
    def __init__(self):
        self.port = free_port()
        self.driver = subprocess.Popen(["chromedriver", f"--port={self.port}"],
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if not wait_for(lambda: self.call("GET", "/status")["ready"], 20):
            raise SystemExit("Bail out! chromedriver does not start")
        options = {"args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                            "--hide-scrollbars", "--disable-background-networking"]}
        capabilities = {"browserName": "chrome", "goog:chromeOptions": options,
                        "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"}}
        self.session = self.call("POST", "/session", {"capabilities": {"alwaysMatch": capabilities}})["sessionId"]

    def call(self, method, path, body=None):
        data = json.dumps(body if body is not None else {}).encode() if method == "POST" else None
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data, method=method,
                                         headers={"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as reply:
            return json.load(reply)["value"]

    def do(self, command, **body):
        return self.call("POST", f"/session/{self.session}/{command}", body)

    def run(self, script):
        return self.do("execute/sync", script=script, args=[])

    def devtools(self, command, **parameters):
        return self.do("goog/cdp/execute", cmd=command, params=parameters)

    def log(self, kind):
        return self.do("se/log", type=kind)

    def show(self, width, theme):
        self.devtools("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1,
                      mobile=width < 600)
        self.devtools("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}])

    def screenshot(self, path):
        height = self.run("return document.documentElement.scrollHeight")
        width = self.run("return document.documentElement.clientWidth")
        shot = self.devtools("Page.captureScreenshot", captureBeyondViewport=True,
                             clip={"x": 0, "y": 0, "width": width, "height": height, "scale": 1})
        with open(path, "wb") as file:
            file.write(base64.b64decode(shot["data"]))

    def close(self):
        try:
            self.call("DELETE", f"/session/{self.session}")
        finally:
            self.driver.terminate()
            self.driver.wait(10)


def traffic(daemon):
    """Some first attempts, of which one sender is wicked."""
    for i in range(120):
        daemon.ask(client_address=f"203.0.{i % 9}.{i}", sender=f"u{i}@bulk{i % 7}.example.com",
                   recipient=f"r{i}@example.org", instance=f"a{i}")
    for i in range(60):
        daemon.ask(client_address=f"2001:db8:{i % 3}::{i}", sender=f"x@{WICKED}",
                   recipient=f"s{i}@example.org", instance=f"b{i}")


def figures(browser):
    """What the page says, by the name it has in /stats."""
    found = browser.run("return Array.from(document.querySelectorAll('[data-stat]'),"
                        "e=>[e.dataset.stat,e.textContent])")
    return {name: int(re.sub(r"\D", "", text)) for name, text in found}


def lookup(stats, path):
    """A dotted path, whose last names may have no dot in them."""
    for name in path.split("."):
        stats = stats[name]
    return stats


def check_shots(tap, browser, url):
    shutil.rmtree(SHOTS, ignore_errors=True)
    os.makedirs(SHOTS)
    for width in 360, 1600:
        for theme in "light", "dark":
            browser.show(width, theme)
            browser.do("url", url=url)
            browser.screenshot(f"{SHOTS}/{width}-{theme}.png")
            wide = browser.run("return document.documentElement.scrollWidth")
            tap.ok(wide <= width, f"nothing is wider than {width} px, {theme}", f"{wide} px")


def check_look(tap, browser):
    colours = []
    for theme in "light", "dark":
        browser.show(1600, theme)
        colours.append(browser.run("return getComputedStyle(document.body).backgroundColor"))
    tap.ok(colours[0] != colours[1] and "rgba(0, 0, 0, 0)" not in colours,
           "the style is applied, and light differs from dark", colours)
    tap.ok(browser.run("return Array.from(document.querySelectorAll('main svg')).every(s=>"
                       "s.getAttribute('aria-hidden')||(s.getAttribute('role')=='img'&&s.querySelector('title')"
                       "&&s.querySelector('desc')&&s.closest('figure').querySelector('table')))"),
           "each chart has a title, a description and a table")
    tap.equal(browser.run("return document.querySelectorAll('[style],[onclick],[onload]').length"), 0,
              "no element has a style or a handler in an attribute")


def check_numbers(tap, browser, daemon):
    def same():
        shown, stats = figures(browser), json.loads(daemon.get("/stats")[2])
        check_numbers.seen = {k: (v, lookup(stats, k)) for k, v in shown.items()}
        return len(shown) > 10 and all(a == b for a, b in check_numbers.seen.values())

    wait_for(same, 12)
    wrong = {k: v for k, v in check_numbers.seen.items() if v[0] != v[1]}
    tap.ok(len(check_numbers.seen) > 10 and not wrong, "the numbers on the page are those of /stats", wrong)
    tap.ok(check_numbers.seen.get("report.all.first_attempts.count", (0,))[0] > 1000, "the report is among them",
           check_numbers.seen.keys())
    tap.ok(check_numbers.seen["last_24_hours.deferred"][0] > 1000, "and they are those of the traffic",
           check_numbers.seen["last_24_hours.deferred"])


def check_update(tap, browser, daemon):
    before = figures(browser)["last_24_hours.deferred"]
    browser.run("document.querySelector('#hours-n').open=true;window.kept=true")
    daemon.ask(client_address="198.51.100.7", sender="late@example.com", recipient="r@example.org", instance="z")
    tap.ok(wait_for(lambda: figures(browser)["last_24_hours.deferred"] == before + 1, 12),
           "a new number appears by itself", before, figures(browser)["last_24_hours.deferred"])
    tap.equal(browser.run("return [window.kept===true,document.querySelector('#hours-n').open]"), [True, True],
              "without loading the page anew or closing what was opened")


def check_peace(tap, browser, daemon):
    errors = [e["message"] for e in browser.log("browser") if e["level"] in ("SEVERE", "WARNING")]
    tap.equal(errors, [], "the console has no error")
    sent = [json.loads(e["message"])["message"] for e in browser.log("performance")]
    urls = [m["params"]["request"]["url"] for m in sent if m["method"] == "Network.requestWillBeSent"]
    ours = f"http://127.0.0.1:{daemon.http}/"
    tap.ok(ours in urls and all(u.startswith((ours, "data:")) for u in urls), "no request goes to another host",
           set(urls))
    tap.equal(browser.run("return document.title"), "greylag", "the wicked sender's script has not run")
    tap.ok(WICKED.split("@")[-1].lower() in browser.run("return document.querySelector('main').textContent"),
           "but the sender is shown as text")
    tap.equal(browser.run("return document.cookie"), "", "there is no cookie")


def check_trouble(tap, browser):
    """What went wrong is told in words, on a telephone too."""
    daemon = Daemon(store="redis://127.0.0.1:9")
    try:
        daemon.ask(client_address="198.51.100.7", sender="a@example.com", recipient="r@example.org")
        browser.show(360, "light")
        browser.do("url", url=f"http://127.0.0.1:{daemon.http}/")
        tap.ok("cannot reach Redis" in browser.run("return document.querySelector('main').textContent")
               or "did not answer" in browser.run("return document.querySelector('main').textContent"),
               "the page says what is wrong")
        wide = browser.run("return document.documentElement.scrollWidth")
        tap.ok(wide <= 360, "and is not wider for it", f"{wide} px")
    finally:
        daemon.close()


def main():
    tap = Tap()
    # However slow the machine is, nobody is let in for the store being slow.
    daemon = Daemon("store.timeout_ms=60000", fill=True)
    browser = Browser()
    try:
        url = f"http://127.0.0.1:{daemon.http}/"
        deferred = lambda: json.loads(daemon.get("/stats")[2])["last_24_hours"]["deferred"]
        wait_for(lambda: deferred() > 1000)
        before = deferred()
        traffic(daemon)
        tap.ok(wait_for(lambda: deferred() == before + 180), "the traffic is counted")
        check_shots(tap, browser, url)
        check_look(tap, browser)
        check_numbers(tap, browser, daemon)
        check_update(tap, browser, daemon)
        check_peace(tap, browser, daemon)
        empty = Daemon()
        try:
            browser.show(1600, "light")
            browser.do("url", url=f"http://127.0.0.1:{empty.http}/")
            browser.screenshot(f"{SHOTS}/empty.png")
            text = browser.run("return document.querySelector('main').textContent")
            tap.ok("no data yet" in text and "No classifier data yet" in text,
                   "without data the page says so")
        finally:
            empty.close()
        check_trouble(tap, browser)
    finally:
        browser.close()
        daemon.close()
    tap.done()


main()
