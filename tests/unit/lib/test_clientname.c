#include "config.h"

#include <string.h>
#include <glib.h>

#include "lib/clientname.h"

struct fixture {
	struct suffix_list *list;
};

static void
fixture_set_up(struct fixture *fixture, const void *data)
{
	(void)data;
	fixture->list = suffix_list_load(NULL);
}

static void
fixture_tear_down(struct fixture *fixture, const void *data)
{
	(void)data;
	suffix_list_free(fixture->list);
}

static struct address
address_of(const char *text)
{
	struct address address = {.family = ADDRESS_NONE};

	if (text)
		g_assert_true(address_parse(text, &address));
	return address;
}

/* POOL is the key of the name; NULL if it has none. */
static const struct {
	const char *name, *address;
	bool dynamic;
	const char *pool;
} names[] = {
    /* mail hosts */
    {"mail-ej1-f41.google.com", "209.85.218.41", false, "google.com"},
    {"mail-wr1-f41.google.com", "209.85.1.41", false, "google.com"},
    {"mail-am6eur05on2072.outbound.protection.outlook.com", "40.107.22.72", false, "outlook.com"},
    {"mail-db8eur05on20601.outbound.protection.outlook.com", "2a01:111:f400:7e1a::601", false,
	"outlook.com"},
    {"sonic304-21.consmr.mail.ne1.yahoo.com", "66.163.191.147", false, "yahoo.com"},
    {"mout.gmx.net", "212.227.17.20", false, "gmx.net"},
    {"mout-xforward.kundenserver.de", "82.165.159.3", false, "kundenserver.de"},
    {"a8-29.smtp-out.amazonses.com", "54.240.8.29", false, "amazonses.com"},
    {"a48-101.smtp-out.amazonses.com", "54.240.48.101", false, "amazonses.com"},
    {"o1.ptr123.sendgrid.net", "149.72.1.123", false, "sendgrid.net"},
    {"mail177-1.suw61.mandrillapp.com", "198.2.177.1", false, "mandrillapp.com"},
    {"forward500a.mail.yandex.net", "178.154.239.80", false, "yandex.net"},
    {"f172.i.mail.ru", "94.100.178.172", false, "mail.ru"},
    {"smtp2.customer.isp.co.uk", "192.0.2.3", false, "isp.co.uk"},
    {"mx.dyn.isp.example", "192.0.2.3", false, "isp.example"},
    {"mta-70-9-196.example.com.sparkpostmail.com", "156.70.9.196", false, "sparkpostmail.com"},
    {"MX3.Gmail.Example.", "60.1.1.7", false, "gmail.example"},
    {"mx0.small12.example", "66.12.1.7", false, "small12.example"},
    {"srv3.bot77.example", "100.1.2.3", false, "bot77.example"},
    {"gmail.example", "60.1.1.7", false, "gmail.example"},
    {"dynamic.example", "60.1.1.7", false, "dynamic.example"},
    {"poolside.hotel.example", "192.0.2.3", false, "hotel.example"},
    {"vps-2019.host.example", "192.0.20.19", false, "host.example"},
    {"server1.5.hosting.example", "192.0.2.15", false, "hosting.example"},
    {"mail.xn--bcher-kva.example", "192.0.2.3", false, "xn--bcher-kva.example"},
    {"xn--1caf.example.com", "::1", false, "example.com"},
    {"mx1.example.com", "2001:db8::1", false, "example.com"},
    /* hosted machines with their address in the name */
    {"static.5.9.1.2.clients.your-server.de", "2.1.9.5", true, NULL},
    {"static.5.9.1.2.clients.your-server.de", "5.9.1.2", true, NULL},
    {"ec2-3-120-7-9.eu-central-1.compute.amazonaws.com", "3.120.7.9", true, NULL},
    {"vmi1234.contaboserver.net", "161.97.1.2", false, "contaboserver.net"},
    /* access lines */
    {"p5B1234AB.dip0.t-ipconnect.de", "91.18.52.171", true, NULL},
    {"p5B1234AB.isp.example", "91.18.52.171", true, NULL},
    {"ab34125b.isp.example", "91.18.52.171", true, NULL},
    {"93-44-1-2.ip95.fastwebnet.it", "93.44.1.2", true, NULL},
    {"cpe-1-2-3-4.nyc.res.rr.com", "1.2.3.4", true, NULL},
    {"dsl-189-1.prod-infinitum.com.mx", "189.1.7.9", true, NULL},
    {"host86-1-2-3.range86-1.btcentralplus.com", "86.1.2.3", true, NULL},
    {"093-044-001-002.line.example", "93.44.1.2", true, NULL},
    {"h093044001002.line.example", "93.44.1.2", true, NULL},
    {"93441254.line.example", "93.44.1.254", true, NULL},
    {"2.1.44.93.line.example", "93.44.1.2", true, NULL},
    {"c-44-1-2.line.example", "93.44.1.2", true, NULL},
    {"line-1-2.net.example", "93.44.1.2", true, NULL},
    {"mail.93-44-1-2.line.example", "93.44.1.2", true, NULL},
    {"5b-12-34-ab.line.example", "91.18.52.171", true, NULL},
    {"pool-98-114-0-1.phlapa.fios.verizon.net", "98.114.9.9", true, NULL},
    {"d57e1.adsl.highway.telekom.at", "62.46.1.2", true, NULL},
    {"ip-95-222.hsi.unitymediagroup.de", "95.222.30.1", false, "unitymediagroup.de"},
    {"abts-tn-dynamic.airtelbroadband.in", "122.1.2.3", true, NULL},
    {"user77.home.isp.example", "192.0.2.3", true, NULL},
    {"100-1-2-3.dyn.isp4.example", "100.1.2.3", true, NULL},
    {"ppp12.isp.example", NULL, true, NULL},
    {"20010db8000000000000000000000017.line.example", "2001:db8::17", true, NULL},
    {"7.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.v6.isp.example",
	"2001:db8::17", true, NULL},
    {"2001-db8-0-0-0-0-0-17.line.example", "2001:db8::17", true, NULL},
    {"2001-db8--17.line.example", "2001:db8::17", true, NULL},
    {"x021122fffe334455.line.example", "2001:db8::211:22ff:fe33:4455", true, NULL},
    /* no names */
    {"", NULL, false, NULL},
    {"unknown", "192.0.2.3", false, NULL},
    {"localhost", "127.0.0.1", false, NULL},
    {"192.0.2.3", "192.0.2.3", false, NULL},
    {"2001:db8::1", "2001:db8::1", false, NULL},
    {"[192.0.2.3]", "192.0.2.3", false, NULL},
    {"co.uk", "192.0.2.3", false, NULL},
    {"github.io", "192.0.2.3", false, NULL},
    {"a..example.org", "192.0.2.3", false, NULL},
    {".example.org", "192.0.2.3", false, NULL},
    {"a b.example.org", "192.0.2.3", false, NULL},
    {"b\xc3\xbc.example.org", "192.0.2.3", false, NULL},
    {"example.org..", "192.0.2.3", false, NULL},
    {".", "192.0.2.3", false, NULL},
};

static void
test_names(struct fixture *fixture, const void *data)
{
	(void)data;
	for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
		struct address address = address_of(names[i].address);
		char domain[CLIENTNAME_SIZE] = "untouched";
		g_test_message("%s [%s]", names[i].name, names[i].address);
		g_assert_cmpint(clientname_looks_dynamic(fixture->list, names[i].name, &address),
		    ==, names[i].dynamic);
		g_assert_cmpint(clientname_pool(fixture->list, names[i].name, &address, domain), ==,
		    names[i].pool != NULL);
		g_assert_cmpstr(domain, ==, names[i].pool ? names[i].pool : "");
	}
}

static void
test_long_name(struct fixture *fixture, const void *data)
{
	g_autoptr(GString) name = g_string_new(NULL);
	struct address address = address_of("192.0.2.3");
	char domain[CLIENTNAME_SIZE];

	(void)data;
	for (int i = 0; i < 121; i++)
		g_string_append(name, "a.");
	g_string_append(name, "example.org");
	g_assert_cmpuint(name->len, ==, 253);
	g_assert_true(clientname_pool(fixture->list, name->str, &address, domain));
	g_string_append_c(name, '.');
	g_assert_true(clientname_pool(fixture->list, name->str, &address, domain));
	g_string_prepend_c(name, 'a');
	g_assert_false(clientname_pool(fixture->list, name->str, &address, domain));
}

static void
test_domain(struct fixture *fixture, gconstpointer data)
{
	static const struct {
		const char *name, *domain;
	} cases[] = {
	    {"News.Example.CO.UK.", "example.co.uk"},
	    {"example.com", "example.com"},
	    {"100-1-2-3.dyn.isp4.example", "isp4.example"},
	    {"co.uk", ""},
	    {"unknown", ""},
	    {"192.0.2.1", ""},
	    {"", ""},
	};
	char domain[CLIENTNAME_SIZE];

	(void)data;
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_assert_cmpint(clientname_domain(fixture->list, cases[i].name, domain), ==,
		    cases[i].domain[0] != '\0');
		g_assert_cmpstr(domain, ==, cases[i].domain);
	}
}

static void
test_helo(void)
{
	static const struct {
		const char *helo, *name, *address;
		bool fits;
	} helos[] = {
	    {"mail.example.org", "mail.example.org", "192.0.2.3", true},
	    {"mail.example.org", "unknown", "192.0.2.3", true},
	    {"Mail.Example.org.", "mx.example.org", "192.0.2.3", true},
	    {"[192.0.2.3]", "unknown", "192.0.2.3", true},
	    {"[192.0.2.4]", "unknown", "192.0.2.3", false},
	    {"[IPv6:2001:db8::1]", "unknown", "2001:db8::1", true},
	    {"[ipv6:2001:db8::2]", "unknown", "2001:db8::1", false},
	    {"[192.0.2.3", "unknown", "192.0.2.3", false},
	    {"[]", "unknown", "192.0.2.3", false},
	    {"192.0.2.3", "unknown", "192.0.2.3", false},
	    {"localhost", "unknown", "192.0.2.3", false},
	    {"localhost.localdomain", "unknown", "192.0.2.3", false},
	    {"pc.fritz.LAN", "unknown", "192.0.2.3", false},
	    {"mx.office.lan", "MX.office.lan.", "10.0.0.3", true},
	    {"friend", "unknown", "192.0.2.3", false},
	    {"a b.example", "unknown", "192.0.2.3", false},
	    {"", "unknown", "192.0.2.3", false},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(helos); i++) {
		struct address address = address_of(helos[i].address);
		g_test_message("%s", helos[i].helo);
		g_assert_cmpint(clientname_helo_fits(helos[i].helo, helos[i].name, &address), ==,
		    helos[i].fits);
	}
}

static void
test_speed(struct fixture *fixture, const void *data)
{
	enum { ROUNDS = 2000 };
	struct address address[G_N_ELEMENTS(names)];
	char domain[CLIENTNAME_SIZE];
	double each;

	(void)data;
	for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
		address[i] = address_of(names[i].address);
	g_test_timer_start();
	for (int round = 0; round < ROUNDS; round++) {
		for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
			clientname_pool(fixture->list, names[i].name, &address[i], domain);
	}
	each = g_test_timer_elapsed() / (ROUNDS * (double)G_N_ELEMENTS(names)) * 1e9;
	g_test_minimized_result(each, "%.0f ns a name", each);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add("/clientname/dynamic-names-and-pools", struct fixture, NULL, fixture_set_up,
	    test_names, fixture_tear_down);
	g_test_add("/clientname/longest-name-has-253-bytes", struct fixture, NULL, fixture_set_up,
	    test_long_name, fixture_tear_down);
	g_test_add("/clientname/organisational-domain-of-any-name", struct fixture, NULL,
	    fixture_set_up, test_domain, fixture_tear_down);
	g_test_add_func("/clientname/helo-of-a-mail-host", test_helo);
	if (g_test_perf())
		g_test_add("/clientname/speed", struct fixture, NULL, fixture_set_up, test_speed,
		    fixture_tear_down);
	return g_test_run();
}
