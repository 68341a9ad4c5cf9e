#!/usr/bin/env python3
"""The page in a real Chromium, driven by chromedriver over plain WebDriver.

Screenshots of all widths in both themes are kept under tests/system/screenshots of the build
directory.
"""
import base64, hashlib, json, os, re, shutil, subprocess, tempfile, urllib.request

from web import BUILD, SOURCE, Daemon, Tap, free_port, wait_for

SHOTS = f"{BUILD}/tests/system/screenshots"
WICKED = '"><script>document.title="stolen"</script>'


class Browser:
    def __init__(self):
        self.port = free_port()
        self.driver = subprocess.Popen(["chromedriver", f"--port={self.port}"],
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if not wait_for(lambda: self.call("GET", "/status")["ready"]):
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


# Words and numbers that go over two lines. Names go over lines where their parts meet, which are
# text nodes of their own; Chinese may break anywhere.
BROKEN = r"""
const broken = [], walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
for (let node; (node = walk.nextNode());) {
    if (node.parentElement.closest("style,script,title,desc,.hidden"))
        continue;
    for (const word of node.data.matchAll(/[\p{Script=Latin}\p{N}.,\u202f]+/gu)) {
        const range = document.createRange();
        range.setStart(node, word.index);
        range.setEnd(node, word.index + word[0].length);
        if (new Set(Array.from(range.getClientRects(), r => Math.round(r.top))).size > 1)
            broken.push(word[0]);
    }
}
return broken;
"""

# Labels of charts that are too small, or that touch the next one.
SMALL = """
const shown = e => e.getClientRects().length > 0, wrong = [];
const labels = Array.from(document.querySelectorAll(".ys span,.xs span,.legend li,svg text")).filter(shown);
for (const e of labels)
    if (e.getBoundingClientRect().height < 12 ||
        (!e.closest("svg") && parseFloat(getComputedStyle(e).fontSize) < 12))
        wrong.push(e.textContent);
for (const axis of document.querySelectorAll(".xs")) {
    const own = Array.from(axis.children).filter(shown);
    for (let i = 1; i < own.length; i++)
        if (own[i - 1].getBoundingClientRect().right >= own[i].getBoundingClientRect().left)
            wrong.push(own[i - 1].textContent + " and " + own[i].textContent);
}
return [labels.length, wrong];
"""

# Text whose contrast with what lies behind it is below 4.5 (WCAG 2.1, AA).
FAINT = """
const numbers = text => text.match(/[0-9.]+/g).map(Number);
const light = text => {
    const [r, g, b] = numbers(text).map(v => v / 255).map(
        v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const behind = e => {
    for (; e; e = e.parentElement) {
        const colour = getComputedStyle(e).backgroundColor;
        if (numbers(colour)[3] !== 0)
            return colour;
    }
};
const faint = new Set(), walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
for (let node; (node = walk.nextNode());) {
    const e = node.parentElement;
    if (!node.data.trim() || !e.getClientRects().length || e.closest("svg,style,script"))
        continue;
    const pair = [light(getComputedStyle(e).color), light(behind(e))].sort((a, b) => b - a);
    const ratio = (pair[0] + 0.05) / (pair[1] + 0.05);
    if (ratio < 4.5)
        faint.add(node.data.slice(0, 40) + " " + ratio.toFixed(2));
}
return Array.from(faint);
"""


def check_shots(tap, browser, url, name):
    """How a page looks at each width: a telephone, a window, a whole screen."""
    os.makedirs(SHOTS, exist_ok=True)
    for width in 360, 1200, 1600:
        for theme in "light", "dark":
            browser.show(width, theme)
            browser.do("url", url=url)
            browser.screenshot(f"{SHOTS}/{name}-{width}-{theme}.png")
            wide = browser.run("return document.documentElement.scrollWidth")
            tap.ok(wide <= width, f"{name}: nothing is wider than {width} px, {theme}", f"{wide} px")
            tap.equal(browser.run(FAINT), [], f"{name}: its text stands out at {width} px, {theme}")
        tap.equal(browser.run(BROKEN), [], f"{name}: no word is broken at {width} px")
        labels, wrong = browser.run(SMALL)
        tap.ok(labels > 20 and not wrong, f"{name}: the charts' labels are readable at {width} px", labels, wrong)


def strip(browser, box):
    """The right edge of a box, as a picture."""
    x, y, height = browser.run(f"const r=document.querySelector('{box}').getBoundingClientRect();"
                               "return [r.right+scrollX-8,r.top+scrollY,r.height]")
    return browser.devtools("Page.captureScreenshot", captureBeyondViewport=True,
                            clip={"x": x, "y": y, "width": 8, "height": height, "scale": 1})["data"]


def check_scrolled(tap, browser, url, box):
    """A table that is too wide has a shadow at the edge beyond which it goes on, and no other."""
    def shaded():
        shade = strip(browser, box)
        browser.run("const s=new CSSStyleSheet();s.replaceSync('.sideways{background-image:none!important}');"
                    "document.adoptedStyleSheets=[s]")
        without = strip(browser, box)
        browser.run("document.adoptedStyleSheets=[]")
        return shade != without

    browser.show(360, "light")
    browser.do("url", url=url)
    tap.ok(browser.run(f"const b=document.querySelector('{box}');return b.scrollWidth>b.clientWidth+20"),
           f"{box} is too wide for a telephone")
    tap.ok(shaded(), "a shadow shows that it goes on")
    browser.run(f"const b=document.querySelector('{box}');b.scrollLeft=b.scrollWidth")
    tap.ok(not shaded(), "and none that it goes on where it ends")
    tap.equal(browser.run(f"return document.querySelector('{box}').tabIndex"), 0, "and the keyboard reaches it")


def check_order(tap, browser, url):
    browser.show(1200, "light")
    browser.do("url", url=url)
    titles = browser.run("return Array.from(document.querySelectorAll('main h2'),e=>e.textContent)")
    wanted = ["What greylisting did, and does it pay", "Deferred", "The last 48 hours", "The last 30 days",
              "By domain of recipients, 30 days", "Classifier", "Why, in 24 hours", "Settings"]
    tap.equal([t for t in titles if t in wanted], wanted, "what greylisting did comes first, settings last")
    tap.ok(browser.run("return document.querySelector('#report').closest('section').getBoundingClientRect().bottom<500"),
           "whether it pays is seen without scrolling")


def check_times(tap, browser, daemon, url):
    """The reader's own time stands beside that of UTC, where it is another one."""
    seen = "return [document.querySelector('header time').textContent," \
        "document.querySelector('header .local')&&document.querySelector('header .local').textContent," \
        "Array.from(document.querySelectorAll('#hours-b time'),e=>e.parentElement.textContent)[0]," \
        "Array.from(document.querySelectorAll('.zone'),e=>e.textContent).slice(0,2)," \
        "Array.from(document.querySelectorAll('.xs time'),e=>e.textContent.slice(-5)).filter((t,i)=>i%6==0).slice(0,2)]"
    try:
        browser.devtools("Emulation.setTimezoneOverride", timezoneId="Asia/Kolkata")
        browser.do("url", url=url)
        utc, own, row, zones, ticks = browser.run(seen)
        tap.ok(re.fullmatch(r"\d+ \w+ \d{4}, \d\d:\d\d UTC", utc), "the time is that of UTC", utc)
        minutes = lambda text: sum(int(n) * f for n, f in zip(re.search(r"(\d\d):(\d\d)", text).groups(), (60, 1)))
        tap.ok(own and (minutes(own) - minutes(utc)) % 1440 == 330 and "GMT+5:30" in own,
               "and beside it that of the reader", utc, own)
        tap.ok(re.fullmatch(r"\w{3} \d\d:00 \((\d+ \w+ )?\d\d:30 GMT\+5:30\)", row), "in the tables, too", row)
        tap.equal(zones, ["UTC", "GMT+5:30"], "a chart of hours has an axis of each")
        tap.ok(len(ticks) == 2 and (minutes(ticks[1]) - minutes(ticks[0])) % 1440 == 330, "that differ by as much",
               ticks)
        browser.devtools("Emulation.setTimezoneOverride", timezoneId="UTC")
        browser.do("url", url=url)
        tap.equal(browser.run("return document.querySelectorAll('.local').length"), 0, "in UTC there is one time")
    finally:
        browser.devtools("Emulation.setTimezoneOverride", timezoneId="")
    plain = daemon.get("/")[2].decode()
    tap.ok(re.search(r"<header>.*\d\d:\d\d UTC</time>", plain) and 'class="local"' not in plain,
           "without the script it is that of UTC")


def check_empty(tap, browser):
    """What has nothing to show is a line."""
    empty = Daemon()
    try:
        for width, line in (360, 100), (1200, 40), (1600, 40):
            browser.show(width, "light")
            browser.do("url", url=f"http://127.0.0.1:{empty.http}/")
            browser.screenshot(f"{SHOTS}/empty-{width}.png")
            heights = browser.run("return Array.from(document.querySelectorAll('.none'),"
                                  "e=>e.getBoundingClientRect().height)")
            tap.ok(len(heights) > 10 and max(heights) <= line, f"a card without data is a line at {width} px", heights)
            tap.equal(browser.run("return document.querySelectorAll('main svg').length"), 0, "and has no empty axes")
            wide = browser.run("return document.documentElement.scrollWidth")
            tap.ok(wide <= width, "and is not wider", f"{wide} px")
        text = browser.run("return document.querySelector('main').textContent")
        tap.ok("no data yet" in text and "No classifier data yet" in text, "without data the page says so")
    finally:
        empty.close()


def write_report(folder):
    """Of the sample mail, three times over, with some of it labelled wrongly: that is then mistaken."""
    lines = []
    for copy in range(3):
        for label, other in ("ham", "spam"), ("spam", "ham"):
            for i, name in enumerate(sorted(os.listdir(f"{SOURCE}/tests/data/{label}"))):
                path = f"{folder}/easy-{label}-{copy}/{i:05}.{hashlib.md5(name.encode()).hexdigest()}.txt"
                os.makedirs(os.path.dirname(path), exist_ok=True)
                shutil.copy(f"{SOURCE}/tests/data/{label}/{name}", path)
                lines.append(f"{other if copy == 2 and i % 2 else label} {path}\n")
    with open(f"{folder}/index", "w") as index:
        index.writelines(lines)
    subprocess.run([f"{BUILD}/classifier/greylag", "-c", "/dev/null", "evaluate", "--shuffle", "--chunk", "10",
                    "--report", f"{folder}/report.html", f"{folder}/index"], check=True, stdout=subprocess.DEVNULL)
    return f"file://{folder}/report.html"


def check_report(tap, browser):
    folder = tempfile.mkdtemp(prefix="greylag-report-")
    try:
        url = write_report(folder)
        check_shots(tap, browser, url, "report")
        words = browser.run("return Array.from(document.querySelectorAll('.mistakes > li'),"
                            "e=>e.querySelectorAll('.words li').length)")
        tap.equal([len(words), [n for n in words if n < 1]], [20, []], "twenty mistakes, and each has its words")
        unsure = browser.run("return Array.from(document.querySelectorAll('.mistakes .pill'),e=>e.textContent)")
        tap.ok(set(unsure) <= {"ham left unsure", "spam left unsure", "ham judged spam", "spam judged ham"} and
               any("unsure" in u for u in unsure), "also those that are no verdict", unsure)
        tap.equal(browser.run("return Array.from(document.querySelectorAll('figure'),e=>e.querySelectorAll("
                              "'svg[role=img] > title, svg[role=img] > desc, table').length)"), [3, 3, 3],
                  "each of its charts has a title, a description and a table")
        check_scrolled(tap, browser, url, "#segments-b")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


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

    wait_for(same)
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
    tap.ok(wait_for(lambda: figures(browser)["last_24_hours.deferred"] == before + 1),
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
        shutil.rmtree(SHOTS, ignore_errors=True)
        check_shots(tap, browser, url, "page")
        check_order(tap, browser, url)
        check_times(tap, browser, daemon, url)
        check_scrolled(tap, browser, url, "#by-domain-b")
        check_look(tap, browser)
        check_numbers(tap, browser, daemon)
        check_update(tap, browser, daemon)
        check_peace(tap, browser, daemon)
        check_empty(tap, browser)
        check_trouble(tap, browser)
        check_report(tap, browser)
    finally:
        browser.close()
        daemon.close()
    tap.done()


main()
