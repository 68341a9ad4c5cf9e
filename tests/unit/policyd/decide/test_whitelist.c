#include "config.h"

#include <string.h>
#include <glib.h>

#include "policyd/decide/whitelist.h"

#define POSTGREY_CLIENTS    "/etc/postgrey/whitelist_clients"
#define POSTGREY_RECIPIENTS "/etc/postgrey/whitelist_recipients"

static struct whitelist *
loaded(enum whitelist_kind kind, const char *text)
{
	g_autoptr(GError) error = NULL;
	struct whitelist *list = whitelist_new(kind);

	whitelist_parse(list, "list", text, strlen(text), &error);
	g_assert_no_error(error);
	return list;
}

static const char *
match_client(const struct whitelist *list, const char *address, const char *name)
{
	struct address parsed = {0};

	if (address)
		g_assert_true(address_parse(address, &parsed));
	return whitelist_match_client(list, &parsed, name);
}

/* Each entry alone in a list; MATCH says whether it finds the client. */
static const struct {
	const char *entry, *address, *name;
	bool match;
} clients[] = {
    {"example.org", "192.0.2.1", "example.org", true},
    {"example.org", "192.0.2.1", "mail.example.org", true},
    {"example.org", "192.0.2.1", "a.b.c.example.org", true},
    {"example.org", "192.0.2.1", "MAIL.EXAMPLE.ORG", true},
    {"Example.ORG", "192.0.2.1", "mail.example.org", true},
    {"example.org", "192.0.2.1", "mail.example.org.", true},
    {"example.org", "192.0.2.1", "notexample.org", false},
    {"example.org", "192.0.2.1", "example.org.evil.example", false},
    {"example.org", "192.0.2.1", "org", false},
    {"example.org", "192.0.2.1", "", false},
    {"example.org", "192.0.2.1", NULL, false},
    {".example.org", "192.0.2.1", "mail.example.org", true},
    {"mail.example.org", "192.0.2.1", "example.org", false},
    {"unknown", "192.0.2.1", "unknown", false},
    {"/./", "192.0.2.1", "unknown", false},
    {"m\xc3\xa4rz.example", "192.0.2.1", "www.m\xc3\xa4rz.example", true},
    {"_spf.example-1.org", "192.0.2.1", "_spf.example-1.org", true},
    {"/^ms-smtp.*\\.example\\.org$/", "192.0.2.1", "ms-smtp01.EXAMPLE.org", true},
    {"/^ms-smtp.*\\.example\\.org$/", "192.0.2.1", "x.ms-smtp01.example.org", false},
    {"/192\\.0\\.2/", "192.0.2.1", "example.org", false},
    {"192.0.2.1", "192.0.2.1", NULL, true},
    {"192.0.2.1", "192.0.2.1", "unknown", true},
    {"192.0.2.1", "192.0.2.2", NULL, false},
    {"192.0.2.1", "::ffff:192.0.2.1", NULL, true},
    {"::ffff:192.0.2.1", "192.0.2.1", NULL, true},
    {"::ffff:192.0.2.0/120", "192.0.2.77", NULL, true},
    {"::ffff:192.0.2.0/120", "192.0.3.77", NULL, false},
    {"192.0.2.0/24", "192.0.2.255", NULL, true},
    {"192.0.2.0/24", "192.0.3.0", NULL, false},
    {"192.0.2.77/24", "192.0.2.1", NULL, true},
    {"192.0.2", "192.0.2.255", NULL, true},
    {"192.0.2", "192.0.3.1", NULL, false},
    {"192.0", "192.0.0.255", NULL, true},
    {"192.0", "192.1.0.1", NULL, false},
    {"0.0.0.0/0", "203.0.113.9", NULL, true},
    {"0.0.0.0/0", "2001:db8::1", NULL, false},
    {"2001:db8::1", "2001:DB8::1", NULL, true},
    {"2001:db8::/32", "2001:db8:ffff::1", NULL, true},
    {"2001:db8::/32", "2001:db9::1", NULL, false},
    {"2001:db8::77/64", "2001:db8::1", NULL, true},
    {"192.0.2.1", NULL, NULL, false},
    {"example.org", NULL, "example.org", true},
};

static void
test_clients(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(clients); i++) {
		struct whitelist *list = loaded(WHITELIST_CLIENTS, clients[i].entry);
		const char *found = match_client(list, clients[i].address, clients[i].name);

		g_test_message("row %zu", i);
		g_assert_cmpuint(whitelist_size(list), ==, 1);
		g_assert_cmpstr(found, ==, clients[i].match ? clients[i].entry : NULL);
		whitelist_free(list);
	}
	whitelist_free(NULL);
}

static const struct {
	const char *entry, *address;
	bool match;
} addresses[] = {
    {"postmaster@", "postmaster@example.org", true},
    {"postmaster@", "Postmaster@Example.ORG", true},
    {"PostMaster@", "postmaster@example.org", true},
    {"postmaster@", "postmaster+x@example.org", true},
    {"postmaster@", "postmaster+x+y@example.org", true},
    {"postmaster@", "xpostmaster@example.org", false},
    {"postmaster@", "postmaster", false},
    {"postmaster@", "postmasters@example.org", false},
    {"postmaster@", "+postmaster@example.org", false},
    {"bob@example.org", "bob@example.org", true},
    {"bob@example.org", "BOB@EXAMPLE.ORG", true},
    {"bob@example.org", "bob+x@example.org", true},
    {"bob@example.org", "bob+x+y@example.org", true},
    {"bob@example.org", "bob@sub.example.org", false},
    {"bob@example.org", "bob@example.org.evil.example", false},
    {"bob+x@example.org", "bob+x@example.org", true},
    {"bob+x@example.org", "bob+x+y@example.org", true},
    {"bob+x@example.org", "bob@example.org", false},
    {"bob+x@example.org", "bob+y@example.org", false},
    {"bob+x@", "bob+x@example.org", true},
    {"bob+x@", "bob@example.org", false},
    {"example.org", "bob@example.org", true},
    {"example.org", "bob@sub.example.org", true},
    {"example.org", "bob@notexample.org", false},
    {"example.org", "example.org", false},
    {"@example.org", "bob@example.org", true},
    {"/^list-.*@/", "list-7@example.org", true},
    {"/^list-.*@/", "LIST-7@example.org", true},
    {"/^list-.*@/", "alist-7@example.org", false},
    {"/^$/", "", false},
    {"m\xc3\xa4rz@example.org", "m\xc3\xa4rz@example.org", true},
    {"\"a@b\"@example.org", "\"a@b\"@example.org", true},
    {"bob@[192.0.2.1]", "bob@[192.0.2.1]", true},
    {"a+b+c+d+e+f+g+h+i+j@", "a+b+c+d+e+f+g+h+i+j+k@example.org", true},
};

static void
test_addresses(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(addresses); i++) {
		struct whitelist *list = loaded(WHITELIST_ADDRESSES, addresses[i].entry);
		const char *found = whitelist_match_address(list, addresses[i].address);

		g_test_message("row %zu", i);
		g_assert_cmpint(found != NULL, ==, addresses[i].match);
		whitelist_free(list);
	}
}

static void
test_file(void)
{
	struct whitelist *list = loaded(WHITELIST_CLIENTS,
	    "# a comment\r\n\r\n  example.org  # why\r\n\t192.0.2.1\t\n#example.com\n"
	    "/c/");

	g_assert_cmpuint(whitelist_size(list), ==, 3);
	whitelist_free(list);
}

static void
test_errors(void)
{
	static const struct {
		enum whitelist_kind kind;
		const char *text, *message;
	} rows[] = {
	    {WHITELIST_CLIENTS, "example.org\n192.0.2.0/33\n\n# x\nexample org\n/(/\n192.0.2.256\n",
		"list:2: \"192.0.2.0/33\" is no address and no network like 192.0.2.0/24\n"
		"list:5: \"example org\" is not one entry\n"
		"list:6: the expression /(/ is wrong at character 2: missing closing parenthesis\n"
		"list:7: \"192.0.2.256\" is no address and no network like 192.0.2.0/24"},
	    {WHITELIST_CLIENTS, "//",
		"list:1: \"//\" is no address and no network like "
		"192.0.2.0/24"},
	    {WHITELIST_CLIENTS, "1.2.3.4.5",
		"list:1: \"1.2.3.4.5\" is no address and no network "
		"like 192.0.2.0/24"},
	    {WHITELIST_CLIENTS, "2001:db8::/129",
		"list:1: \"2001:db8::/129\" is no address and no "
		"network like 192.0.2.0/24"},
	    {WHITELIST_CLIENTS, "bob@example.org", "list:1: \"bob@example.org\" is no name"},
	    {WHITELIST_CLIENTS, ".",
		"list:1: \".\" is no address and no network like 192.0.2.0/24"},
	    {WHITELIST_ADDRESSES, ".", "list:1: \".\" is no name"},
	    {WHITELIST_ADDRESSES, "@", "list:1: \"@\" is no address"},
	    {WHITELIST_ADDRESSES, "a@b\nex*mple.org\n", "list:2: \"ex*mple.org\" is no name"},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct whitelist *list = whitelist_new(rows[i].kind);
		g_autoptr(GError) error = NULL;

		g_assert_false(
		    whitelist_parse(list, "list", rows[i].text, strlen(rows[i].text), &error));
		g_assert_cmpstr(error->message, ==, rows[i].message);
		whitelist_free(list);
	}
}

static void
test_hostile_lines(void)
{
	static const char nul[] = "example.org\nexample\0.com\n";
	g_autofree char *big = g_strnfill(5000, 'a');
	g_autoptr(GError) error = NULL, too_long = NULL, missing = NULL;
	struct whitelist *list = whitelist_new(WHITELIST_CLIENTS);

	g_assert_false(whitelist_parse(list, "list", nul, sizeof nul - 1, &error));
	g_assert_cmpstr(error->message, ==, "list:2: \"...\" has a NUL in it");
	g_assert_false(whitelist_parse(list, "list", big, strlen(big), &too_long));
	g_assert_cmpstr(too_long->message, ==, "list:1: \"...\" is too long");
	g_assert_false(whitelist_read(list, "/nonexistent/list", &missing));
	g_assert_nonnull(strstr(missing->message, "/nonexistent/list"));
	whitelist_free(list);
}

static void
test_hostile_requests(void)
{
	struct whitelist *clients_list = loaded(WHITELIST_CLIENTS, "example.org\n/^a*b/\n");
	struct whitelist *users = loaded(WHITELIST_ADDRESSES, "bob@\n/^(a+)+!$/\n");
	g_autofree char *big = g_strnfill(65000, 'a');
	g_autofree char *pluses = g_strdup_printf("bob%.*s@example.org", 900, big);

	memset(pluses + 3, '+', 900);
	g_assert_null(match_client(clients_list, NULL, big));
	g_assert_null(whitelist_match_address(users, big));
	g_assert_null(whitelist_match_address(users, pluses));
	g_assert_null(whitelist_match_address(users, "@"));
	g_assert_null(whitelist_match_address(users, "+@"));
	g_assert_null(whitelist_match_address(users, ""));
	g_assert_null(whitelist_match_address(users, "."));
	whitelist_free(clients_list);
	whitelist_free(users);
}

/* -- Debian's postgrey as the judge -- */

static const struct {
	const char *address, *name;
} judged_clients[] = {
    {"192.0.2.1", "debian.org"},
    {"192.0.2.1", "mailly.debian.org"},
    {"192.0.2.1", "notdebian.org"},
    {"192.0.2.1", "debian.org.evil.example"},
    {"192.0.2.1", "DEBCONF.ORG"},
    {"192.0.2.1", "southwest.com"},
    {"192.0.2.1", "mail.southwest.com"},
    {"192.0.2.1", "northwest.com"},
    {"192.0.2.1", "isp.belgacom.be"},
    {"192.0.2.1", "relay.isp.belgacom.be"},
    {"192.0.2.1", "belgacom.be"},
    {"192.0.2.1", "vger.kernel.org"},
    {"192.0.2.1", "kernel.org"},
    {"192.0.2.1", "server-x001.hostpoint.ch"},
    {"192.0.2.1", "server-x002.hostpoint.ch"},
    {"192.0.2.1", "ms-smtp-01.rdc.rr.com"},
    {"192.0.2.1", "ms-smtp-01.rdc.rr.com.example"},
    {"192.0.2.1", "x-ms-smtp.rr.com"},
    {"192.0.2.1", "lake-mta-1.east.cox.net"},
    {"192.0.2.1", "lakemta.cox.net"},
    {"192.0.2.1", "cox.net"},
    {"192.0.2.1", "sc1pub.verizon.net"},
    {"192.0.2.1", "sv12pub.verizon.net"},
    {"192.0.2.1", "SV12PUB.VERIZON.NET"},
    {"192.0.2.1", "sxpub.verizon.net"},
    {"192.0.2.1", "mail7.telekom.de"},
    {"192.0.2.1", "mailx.telekom.de"},
    {"192.0.2.1", "smtp12.tiscali.dk"},
    {"192.0.2.1", "smtp.tiscali.dk"},
    {"192.0.2.1", "mail-wr1-f41.google.com"},
    {"192.0.2.1", "google.com"},
    {"192.0.2.1", "mta1.grp.bf1.yahoo.com"},
    {"192.0.2.1", "omr-m11.mx.aol.com"},
    {"192.0.2.1", "mx.example.org"},
    {"192.0.2.1", "localhost"},
    {"192.0.2.1", "mot.com"},
    {"192.0.2.1", "amazon.com"},
    {"192.0.2.1", "a1-2.smtp-out.amazonses.com"},
    {"192.0.2.1", "ebay.com"},
    {"192.0.2.1", "mx1.sourceforge.net"},
    {"66.216.126.174", "unknown"},
    {"66.216.126.175", "unknown"},
    {"66.216.126.174", "x.example.org"},
    {"195.235.39.1", "unknown"},
    {"195.235.39.255", "unknown"},
    {"195.235.40.1", "unknown"},
    {"64.12.137.7", "unknown"},
    {"64.12.138.200", "unknown"},
    {"152.163.225.1", "unknown"},
    {"63.169.44.143", "unknown"},
    {"63.169.44.144", "unknown"},
    {"213.136.52.31", "unknown"},
    {"216.34.181.88", "unknown"},
    {"194.245.101.88", "unknown"},
    {"2001:db8::1", "unknown"},
    {"2001:db8::1", "mail.debian.org"},
    {"127.0.0.1", "localhost"},
};

static const char *const judged_recipients[] = {
    "postmaster@example.org",
    "POSTMASTER@example.org",
    "postmaster+x@example.org",
    "xpostmaster@example.org",
    "abuse@example.org",
    "abuse+a+b@example.org",
    "abuse.x@example.org",
    "bob@abuse",
    "bob@example.org",
    "postmaster",
};

/* Reads its lines as /usr/sbin/postgrey 1.37 does and judges with its own expressions. */
static const char judge[] =
    "use NetAddr::IP; my (@names, @ips, @rcpts); open(F, shift) or die $!;"
    "while (<F>) { s/#.*$//; s/^\\s+//; s/\\s+$//; next if $_ eq '';"
    " if (/^\\/(\\S+)\\/$/) { push @names, qr{$1}i }"
    " elsif (/^\\d{1,3}\\.\\d{1,3}\\.\\d{1,3}\\.\\d{1,3}(?:\\/\\d{1,2})?$/)"
    "  { push @ips, NetAddr::IP->new($_) }"
    " elsif (/^\\d{1,3}\\.\\d{1,3}\\.\\d{1,3}$/) { push @ips, NetAddr::IP->new($_, 24) }"
    " elsif (/^\\d{1,3}\\.\\d{1,3}$/) { push @ips, NetAddr::IP->new($_, 24) }"
    " elsif (/^.*\\:.*\\:.*(?:\\/\\d{1,3})?$/) { push @ips, NetAddr::IP->new($_) }"
    " elsif (/^\\S+$/) { push @names, qr{(?:^|\\.)\\Q$_\\E$}i } else { die $_ } }"
    "open(F, shift) or die $!;"
    "while (<F>) { s/#.*$//; s/^\\s+//; s/\\s+$//; next if $_ eq '';"
    " my ($user, $domain) = split(/\\@/, $_, 2);"
    " if (/^\\/(\\S+)\\/$/) { push @rcpts, qr{$1}i } elsif (!/^\\S+$/) { die $_ }"
    " elsif (defined $domain and $domain ne '')"
    "  { push @rcpts, qr{^\\Q$user\\E(?:\\+[^@]+)?\\@\\Q$domain\\E$}i }"
    " elsif (defined $domain) { push @rcpts, qr{^\\Q$user\\E(?:\\+[^@]+)?\\@}i }"
    " else { push @rcpts, qr{(?:\\@|\\.)\\Q$user\\E$}i } }"
    "for my $question (@ARGV) { my ($address, $name) = split(/ /, $question);"
    " my $listed = 0;"
    " if (defined $name) { my $ip = NetAddr::IP->new($address);"
    "  $listed = (grep { $name =~ $_ } @names) || (grep { $ip->within($_) } @ips) }"
    " else { $listed = grep { $address =~ $_ } @rcpts }"
    " print $listed ? 'y' : 'n' }";

/* A letter a question; NULL if there is no judge here. */
static char *
ask_judge(void)
{
	g_autoptr(GPtrArray) argv = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GError) error = NULL;
	char *answers = NULL;
	int status = 0;

	for (const char *const *word = (const char *const[]){"perl", "-e", judge, POSTGREY_CLIENTS,
		 POSTGREY_RECIPIENTS, NULL};
	     *word; word++)
		g_ptr_array_add(argv, g_strdup(*word));
	for (size_t i = 0; i < G_N_ELEMENTS(judged_clients); i++)
		g_ptr_array_add(argv,
		    g_strdup_printf("%s %s", judged_clients[i].address, judged_clients[i].name));
	for (size_t i = 0; i < G_N_ELEMENTS(judged_recipients); i++)
		g_ptr_array_add(argv, g_strdup(judged_recipients[i]));
	g_ptr_array_add(argv, NULL);
	if (!g_spawn_sync(NULL, (char **)argv->pdata, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL,
		&answers, NULL, &status, &error) ||
	    !g_spawn_check_wait_status(status, &error)) {
		g_test_message("%s", error->message);
		g_clear_pointer(&answers, g_free);
	}
	return answers;
}

static struct whitelist *
load_postgrey(enum whitelist_kind kind, const char *path)
{
	struct whitelist *list = whitelist_new(kind);
	g_autoptr(GError) error = NULL;

	whitelist_read(list, path, &error);
	g_assert_no_error(error);
	return list;
}

static void
test_postgrey(void)
{
	struct whitelist *list, *recipients;
	g_autofree char *answers = ask_judge();
	const char *answer = answers;

	if (!answers) {
		/* contrib/check installs postgrey, and wants nothing to be skipped. */
		if (g_strcmp0(g_getenv("GREYLAG_SKIP_IS_FAILURE"), "yes") == 0)
			g_test_fail_printf("postgrey, perl or NetAddr::IP is missing");
		else
			g_test_skip("needs postgrey, its lists and perl");
		return;
	}
	g_assert_cmpuint(
	    strlen(answers), ==, G_N_ELEMENTS(judged_clients) + G_N_ELEMENTS(judged_recipients));
	list = load_postgrey(WHITELIST_CLIENTS, POSTGREY_CLIENTS);
	recipients = load_postgrey(WHITELIST_ADDRESSES, POSTGREY_RECIPIENTS);
	for (size_t i = 0; i < G_N_ELEMENTS(judged_clients); i++) {
		const char *found =
		    match_client(list, judged_clients[i].address, judged_clients[i].name);

		g_test_message("%s %s: postgrey %c, ours %s", judged_clients[i].address,
		    judged_clients[i].name, *answer, found ? found : "none");
		g_assert_cmpint(found ? 'y' : 'n', ==, *answer++);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(judged_recipients); i++) {
		const char *found = whitelist_match_address(recipients, judged_recipients[i]);

		g_test_message("%s: postgrey %c", judged_recipients[i], *answer);
		g_assert_cmpint(found ? 'y' : 'n', ==, *answer++);
	}
	whitelist_free(list);
	whitelist_free(recipients);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/whitelist/client-by-name-network-or-expression", test_clients);
	g_test_add_func("/whitelist/address-by-domain-user-or-expression", test_addresses);
	g_test_add_func("/whitelist/comments-blank-lines-and-carriage-returns", test_file);
	g_test_add_func("/whitelist/every-bad-line-is-told", test_errors);
	g_test_add_func("/whitelist/nul-or-length-is-a-fault-of-its-line", test_hostile_lines);
	g_test_add_func("/whitelist/hostile-request-matches-nothing", test_hostile_requests);
	g_test_add_func("/whitelist/debians-lists-mean-what-postgrey-says", test_postgrey);
	return g_test_run();
}
