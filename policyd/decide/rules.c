#include "config.h"

#include "policyd/decide/rules.h"

#include <string.h>

/* -- reading -- */

/* A list of files as one whitelist. All faults of all files are told. */
static struct whitelist *
read_lists(
    enum whitelist_kind kind, const struct settings *s, enum setting setting, GString *faults)
{
	struct whitelist *list = whitelist_new(kind);
	g_autofree char *place = settings_place(s, setting);

	for (const char *const *path = settings_list(s, setting); *path; path++) {
		g_autoptr(GError) error = NULL;

		if (whitelist_read(list, *path, &error))
			continue;
		/* What is wrong in a file is told with its own name and line. */
		if (error->domain == G_FILE_ERROR)
			g_prefix_error(&error, "%s: ", place);
		g_string_append_printf(faults, "%s%s", faults->len ? "\n" : "", error->message);
	}
	return list;
}

static struct prefix_set *
read_networks(const char *const *networks, GString *faults)
{
	struct prefix_set *set = prefix_set_new();
	struct prefix prefix;

	for (; *networks; networks++) {
		if (prefix_parse(*networks, &prefix))
			prefix_set_add(set, &prefix);
		else
			g_string_append_printf(faults,
			    "%swhitelist.networks: \"%s\" is no address and no network like "
			    "192.0.2.0/24",
			    faults->len ? "\n" : "", *networks);
	}
	return set;
}

static GHashTable *
read_fingerprints(const char *const *fingerprints)
{
	GHashTable *set = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

	for (; *fingerprints; fingerprints++)
		g_hash_table_add(set, g_ascii_strdown(*fingerprints, -1));
	return set;
}

static struct greylist_rules
read_greylist(const struct settings *s)
{
	return (struct greylist_rules){
	    .delay = settings_number(s, SETTING_GREYLIST_DELAY),
	    .retry_window = settings_number(s, SETTING_GREYLIST_RETRY_WINDOW),
	    .lifetime = settings_number(s, SETTING_GREYLIST_LIFETIME),
	    .ipv4_prefix = (unsigned)settings_number(s, SETTING_GREYLIST_IPV4_PREFIX),
	    .ipv6_prefix = (unsigned)settings_number(s, SETTING_GREYLIST_IPV6_PREFIX),
	    .auto_whitelist_after =
		(unsigned)settings_number(s, SETTING_GREYLIST_AUTO_WHITELIST_AFTER),
	    .observe = settings_number(s, SETTING_GREYLIST_MODE) == GREYLIST_OBSERVE,
	};
}

static void
read_whitelists(struct rules *rules, const struct settings *s, GString *faults)
{
	rules->clients = read_lists(WHITELIST_CLIENTS, s, SETTING_WHITELIST_CLIENTS, faults);
	rules->recipients =
	    read_lists(WHITELIST_ADDRESSES, s, SETTING_WHITELIST_RECIPIENTS, faults);
	rules->senders = read_lists(WHITELIST_ADDRESSES, s, SETTING_WHITELIST_SENDERS, faults);
	if (*settings_list(s, SETTING_WHITELIST_OPT_IN))
		rules->opt_in =
		    read_lists(WHITELIST_ADDRESSES, s, SETTING_WHITELIST_OPT_IN, faults);
	rules->networks = read_networks(settings_list(s, SETTING_WHITELIST_NETWORKS), faults);
	rules->fingerprints = read_fingerprints(settings_list(s, SETTING_WHITELIST_FINGERPRINTS));
}

struct rules *
rules_new(const struct settings *settings, const struct suffix_list *suffixes, GError **error)
{
	g_autoptr(GString) faults = g_string_new(NULL);
	struct rules *rules = g_atomic_rc_box_new0(struct rules);

	rules->greylist = read_greylist(settings);
	rules->reputation = reputation_rules_of(settings);
	rules->mode = (enum greylist_mode)settings_number(settings, SETTING_GREYLIST_MODE);
	rules->when = (enum greylist_when)settings_number(settings, SETTING_GREYLIST_WHEN);
	rules->null_sender =
	    (enum greylist_null_sender)settings_number(settings, SETTING_GREYLIST_NULL_SENDER);
	rules->match_by_name = settings_on(settings, SETTING_GREYLIST_MATCH_BY_NAME);
	rules->privacy = settings_on(settings, SETTING_GREYLIST_PRIVACY);
	rules->store_timeout = (unsigned)settings_number(settings, SETTING_STORE_TIMEOUT);
	rules->action = g_strdup(settings_text(settings, SETTING_GREYLIST_ACTION));
	rules->text = g_strdup(settings_text(settings, SETTING_GREYLIST_TEXT));
	rules->suffixes = suffixes;
	read_whitelists(rules, settings, faults);
	if (faults->len) {
		g_set_error_literal(error, SETTINGS_ERROR, 0, faults->str);
		rules_unref(rules);
		return NULL;
	}
	return rules;
}

struct rules *
rules_ref(struct rules *rules)
{
	return g_atomic_rc_box_acquire(rules);
}

static void
rules_clear(gpointer data)
{
	struct rules *rules = data;

	g_free(rules->action);
	g_free(rules->text);
	whitelist_free(rules->clients);
	whitelist_free(rules->recipients);
	whitelist_free(rules->senders);
	whitelist_free(rules->opt_in);
	prefix_set_free(rules->networks);
	g_hash_table_unref(rules->fingerprints);
}

void
rules_unref(struct rules *rules)
{
	if (rules)
		g_atomic_rc_box_release_full(rules, rules_clear);
}

/* -- exemptions -- */

#define CHECK(name)                                                                                \
	static const char *check_##name(const struct rules *rules G_GNUC_UNUSED,                   \
	    const struct allowed *allowed G_GNUC_UNUSED,                                           \
	    const struct policy_request *request G_GNUC_UNUSED,                                    \
	    const struct delivery *delivery G_GNUC_UNUSED)

CHECK(off)
{
	return rules->mode == GREYLIST_OFF ? "greylist.mode = off" : NULL;
}

CHECK(authenticated)
{
	const char *user = request->value[POLICY_SASL_USERNAME];

	return *user ? user : NULL;
}

/* Postfix sends fingerprints of certificates that nobody signed, too: only listed ones count. */
CHECK(certificate)
{
	static const enum policy_attribute attributes[] = {
	    POLICY_CCERT_FINGERPRINT, POLICY_CCERT_PUBKEY_FINGERPRINT};

	if (g_hash_table_size(rules->fingerprints) == 0)
		return NULL;
	for (size_t i = 0; i < G_N_ELEMENTS(attributes); i++) {
		const char *value = request->value[attributes[i]];
		g_autofree char *folded = g_ascii_strdown(value, -1);

		if (*value && g_hash_table_contains(rules->fingerprints, folded))
			return value;
	}
	return NULL;
}

CHECK(no_address)
{
	return delivery->client.family == ADDRESS_NONE ? "client_address" : NULL;
}

CHECK(own_network)
{
	struct prefix network;

	return prefix_set_match(rules->networks, &delivery->client, &network)
		   ? request->value[POLICY_CLIENT_ADDRESS]
		   : NULL;
}

CHECK(recipient)
{
	return whitelist_match_address(rules->recipients, delivery->recipient);
}

CHECK(opt_in)
{
	return rules->opt_in && !whitelist_match_address(rules->opt_in, delivery->recipient)
		   ? delivery->recipient
		   : NULL;
}

CHECK(client)
{
	return whitelist_match_client(rules->clients, &delivery->client, delivery->name);
}

CHECK(sender)
{
	return delivery->null_sender ? NULL
				     : whitelist_match_address(rules->senders, delivery->sender);
}

CHECK(allowed)
{
	const char *entry;

	if (!allowed)
		return NULL;
	entry = whitelist_match_client(allowed->clients, &delivery->client, delivery->name);
	if (!entry && !delivery->null_sender)
		entry = whitelist_match_address(allowed->senders, delivery->sender);
	/* An address was normalised when it was typed. */
	if (!entry && !delivery->null_sender)
		entry = whitelist_match_address(allowed->senders, delivery->sender_key);
	return entry;
}

CHECK(expected)
{
	return allowed ? expected_match(allowed->expected, delivery) : NULL;
}

CHECK(suspicious)
{
	return rules->when == GREYLIST_SUSPICIOUS && !delivery_suspicious(delivery, rules->suffixes)
		   ? delivery->name
		   : NULL;
}

const struct exemption exemptions[] = {
    {REASON_OFF, "greylisting is off", check_off},
    {REASON_AUTHENTICATED, "the user has logged in", check_authenticated},
    {REASON_CERTIFICATE, "the client's certificate is listed", check_certificate},
    {REASON_NO_ADDRESS, "the client's address cannot be read", check_no_address},
    {REASON_OWN_NETWORK, "the client is in an own network", check_own_network},
    {REASON_WHITELISTED_RECIPIENT, "the recipient is whitelisted", check_recipient},
    {REASON_NOT_OPTED_IN, "the recipient has not opted in", check_opt_in},
    {REASON_WHITELISTED_CLIENT, "the client is whitelisted", check_client},
    {REASON_WHITELISTED_SENDER, "the sender is whitelisted", check_sender},
    {REASON_ALLOWED, "the operator allows it for now", check_allowed},
    {REASON_EXPECTED, "somebody waits for it", check_expected},
    {REASON_NOT_SUSPICIOUS, "nothing about the client is suspicious", check_suspicious},
};
const size_t n_exemptions = G_N_ELEMENTS(exemptions);

const struct exemption *
exemption_find(const struct rules *rules, const struct allowed *allowed,
    const struct policy_request *request, const struct delivery *delivery,
    const char **ret_evidence)
{
	for (size_t i = 0; i < n_exemptions; i++) {
		const char *evidence = exemptions[i].check(rules, allowed, request, delivery);

		if (evidence) {
			*ret_evidence = evidence;
			return &exemptions[i];
		}
	}
	return NULL;
}
