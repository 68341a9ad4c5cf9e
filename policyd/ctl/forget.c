#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "db/history/reputation.h"
#include "policyd/decide/client.h"
#include "policyd/ctl/ctl.h"
#include "policyd/ctl/allow.h"
#include "policyd/ctl/filter.h"

/* Keys are gathered while a scan shows records, and their records changed between its steps. */
struct forget {
	struct filter filter;
	struct ctl_batch batch;
	GArray *keys; /* struct key */
	enum store_space space;
	uint64_t erased[STORE_SPACES], malformed;
	uint64_t unknown; /* hashes that were to be compared with a domain */
	uint8_t expected[TRIPLET_ADDRESS_HASH_SIZE]; /* of the sender of a window, as in its key */
	GString *missed;                             /* what was named and is not there */
};

struct key {
	size_t length;
	uint8_t bytes[REPUTATION_KEY_MAX];
};

G_STATIC_ASSERT(CLIENT_KEY_MAX <= REPUTATION_KEY_MAX && KEYEDHASH_SIZE <= REPUTATION_KEY_MAX &&
		EXPECTED_KEY_SIZE <= REPUTATION_KEY_MAX);

static void
remember(struct forget *f, const struct store_bytes *key)
{
	struct key k = {.length = MIN(key->length, sizeof k.bytes)};

	memcpy(k.bytes, key->data, k.length);
	g_array_append_val(f->keys, k);
}

static void
remember_if(struct forget *f, enum selector_match match, const struct store_bytes *key)
{
	if (match == SELECTOR_MATCHES)
		remember(f, key);
	f->unknown += match == SELECTOR_UNKNOWN;
}

static bool
find_triplet(void *context, const struct store_bytes *key, const struct store_bytes *value,
    int64_t expires G_GNUC_UNUSED)
{
	struct forget *f = context;
	struct triplet t;

	if (!triplet_decode(value, &t))
		f->malformed++;
	else
		remember_if(f, filter_match_any(&f->filter, &t), key);
	return true;
}

static bool
find_client(void *context, const struct store_bytes *key,
    const struct store_bytes *value G_GNUC_UNUSED, int64_t expires G_GNUC_UNUSED)
{
	struct forget *f = context;
	struct prefix client;

	if (client_key_decode(key, &client) && selector_match_network(&f->filter.client, &client))
		remember(f, key);
	return true;
}

/* Of the client: its network, and its name with what was signed by it. What own users wrote to is
 * no client's. */
static bool
find_reputation(void *context, const struct store_bytes *key,
    const struct store_bytes *value G_GNUC_UNUSED, int64_t expires G_GNUC_UNUSED)
{
	struct forget *f = context;
	enum reputation_kind kind = reputation_key_kind(key);
	struct store_bytes name = {key->data, key->length - 1};
	struct prefix network;

	if (reputation_key_network(key, &network) &&
	    selector_match_network(&f->filter.client, &network))
		remember(f, key);
	else if ((kind == REPUTATION_NAME || kind == REPUTATION_AUTH) &&
		 selector_match_name(&f->filter.client, &name))
		remember(f, key);
	return true;
}

/* What is expected, of the sender and to the recipient that are meant. The operator's exceptions
 * stay: they are ended by name. */
static bool
find_expected(void *context, const struct store_bytes *key, const struct store_bytes *value,
    int64_t expires G_GNUC_UNUSED)
{
	struct forget *f = context;
	enum selector_match match;

	if (!expected_is_key(key))
		return true;
	if (filter_match_allowed(&f->filter, key, value, &match))
		remember_if(f, match, key);
	else
		f->malformed++;
	return true;
}

/* A window by the name that it was opened with. */
static bool
find_window(void *context, const struct store_bytes *key,
    const struct store_bytes *value G_GNUC_UNUSED, int64_t expires G_GNUC_UNUSED)
{
	struct forget *f = context;

	if (expected_is_key(key) &&
	    memcmp((const uint8_t *)key->data + 1, f->expected, sizeof f->expected) == 0)
		remember(f, key);
	return true;
}

/* -- changes -- */

struct job {
	const struct filter *filter; /* read only; lives until the last job is done */
	enum store_space space;
	bool erased;
};

/* The places that are meant go, the others stay. The record may have changed since it was found. */
static void
forget_triplet(const struct store_bytes *old, struct store_change *change, struct job *job)
{
	struct triplet t;
	uint8_t bytes[TRIPLET_RECORD_MAX];
	unsigned kept = 0;

	if (!triplet_decode(old, &t) || filter_match_any(job->filter, &t) != SELECTOR_MATCHES)
		return;
	for (unsigned i = 0; i < t.n_sightings; i++)
		if (filter_match(job->filter, &t, &t.sightings[i]) != SELECTOR_MATCHES)
			t.sightings[kept++] = t.sightings[i];
	t.n_sightings = kept;
	job->erased = true;
	if (kept)
		store_change_put(change, bytes, triplet_encode(&t, bytes),
		    greylist_expires(&job->filter->rules, &t));
	else
		store_change_delete(change);
}

static void
update(const struct store_bytes *old, struct store_change *change, void *data)
{
	struct job *job = data;

	job->erased = false;
	if (!old)
		return;
	if (job->space == STORE_TRIPLETS) {
		forget_triplet(old, change, job);
	} else {
		job->erased = true;
		store_change_delete(change);
	}
}

static void
settled(void *context, void *data)
{
	struct forget *f = context;
	const struct job *job = data;

	if (job->erased)
		f->erased[job->space]++;
}

static void
forget_found(void *context)
{
	struct forget *f = context;

	for (guint i = 0; i < f->keys->len; i++) {
		const struct key *key = &g_array_index(f->keys, struct key, i);
		struct job *job = g_new(struct job, 1);

		*job = (struct job){.filter = &f->filter, .space = f->space};
		ctl_batch_update(&f->batch, f->space, (struct store_bytes){key->bytes, key->length},
		    update, job, g_free);
	}
	g_array_set_size(f->keys, 0);
}

static bool
forget_in(
    struct ctl *ctl, struct forget *f, enum store_space space, store_record_fn find, GError **error)
{
	bool done;

	f->space = space;
	done = ctl_scan(ctl, space, find, forget_found, f, error);
	return ctl_batch_end(&f->batch, done ? error : NULL) && done;
}

static uint64_t
sum_erased(const struct forget *f)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < STORE_SPACES; i++)
		sum += f->erased[i];
	return sum;
}

/* A miss does not keep the rest that was named from being erased. */
static void miss(struct forget *f, const char *format, ...) G_GNUC_PRINTF(2, 3);

static void
miss(struct forget *f, const char *format, ...)
{
	va_list arguments;

	if (f->missed->len)
		g_string_append(f->missed, "; ");
	va_start(arguments, format);
	g_string_append_vprintf(f->missed, format, arguments);
	va_end(arguments);
}

static bool
forget_records(struct ctl *ctl, const struct filter_text *text, struct forget *f, GError **error)
{
	bool pair = text->sender || text->recipient;
	g_autoptr(GError) nothing = NULL;

	if (!forget_in(ctl, f, STORE_TRIPLETS, find_triplet, error))
		return false;
	/* An address' record of passes is of no sender and no recipient, what is expected of no
	 * network. */
	if (text->client && !pair &&
	    (!forget_in(ctl, f, STORE_CLIENTS, find_client, error) ||
		!forget_in(ctl, f, STORE_REPUTATION, find_reputation, error)))
		return false;
	if (!text->client && !forget_in(ctl, f, STORE_ALLOWED, find_expected, error))
		return false;
	if (!filter_end(text, "record", sum_erased(f), f->unknown, &nothing))
		miss(f, "%s", nothing->message);
	return true;
}

/* Whoever waits for it. */
static bool
forget_window(struct ctl *ctl, const char *sender, struct forget *f, GError **error)
{
	uint64_t before = f->erased[STORE_ALLOWED];
	char parsed[ENVELOPE_ADDRESS_SIZE];
	g_autoptr(GError) wrong = NULL;

	if (!expected_parse(sender, SELECTOR_SENDER, parsed, &wrong))
		return ctl_usage(error, "--expected %s", wrong->message);
	triplet_address_hash(store_hash_key(ctl->store), parsed, f->expected);
	if (!forget_in(ctl, f, STORE_ALLOWED, find_window, error))
		return false;
	if (f->erased[STORE_ALLOWED] == before)
		miss(f, "nothing is expected of %s; see list --allowed", parsed);
	return true;
}

static bool
forget_exception(struct ctl *ctl, const char *entry, struct forget *f, GError **error)
{
	uint64_t count = 0;

	if (!ctl_allow_erase(ctl, entry, &count, error))
		return false;
	if (!count)
		miss(f, "there is no exception %s; see list --allowed", entry);
	f->erased[STORE_ALLOWED] += count;
	return true;
}

struct wanted {
	struct filter_text records;
	char *allowed, *expected;
};

/* All that was typed is read before anything is erased. */
static bool
check_wanted(struct ctl *ctl, const struct wanted *wanted, struct forget *f, GError **error)
{
	char parsed[ENVELOPE_ADDRESS_SIZE];
	g_autofree char *key = NULL;
	g_autoptr(GError) wrong = NULL;

	if (wanted->expected && !expected_parse(wanted->expected, SELECTOR_SENDER, parsed, &wrong))
		return ctl_usage(error, "--expected %s", wrong->message);
	if (wanted->allowed && !allowed_parse(wanted->allowed, &key, &wrong))
		return ctl_usage(error, "--allowed %s", wrong->message);
	return filter_init(&f->filter, &wanted->records, &ctl->rules->greylist,
	    store_hash_key(ctl->store), ctl->now, error);
}

static bool
forget_wanted(struct ctl *ctl, const struct wanted *wanted, struct forget *f, GError **error)
{
	const struct filter_text *text = &wanted->records;

	return check_wanted(ctl, wanted, f, error) &&
	       (!filter_text_given(text) || forget_records(ctl, text, f, error)) &&
	       (!wanted->expected || forget_window(ctl, wanted->expected, f, error)) &&
	       (!wanted->allowed || forget_exception(ctl, wanted->allowed, f, error));
}

static bool
tell_erased(const struct forget *f, GError **error)
{
	printf("erased %" G_GUINT64_FORMAT " triplets, %" G_GUINT64_FORMAT
	       " clients, %" G_GUINT64_FORMAT " exceptions, %" G_GUINT64_FORMAT " reputations\n",
	    f->erased[STORE_TRIPLETS], f->erased[STORE_CLIENTS], f->erased[STORE_ALLOWED],
	    f->erased[STORE_REPUTATION]);
	if (f->malformed)
		return ctl_fail(error,
		    "%" G_GUINT64_FORMAT
		    " damaged records could not be looked at; see greylagctl check",
		    f->malformed);
	return !f->missed->len || ctl_fail(error, "%s", f->missed->str);
}

static bool
forget(struct ctl *ctl, const struct wanted *wanted, GError **error)
{
	struct forget f = {0};
	bool done;

	if (!ctl_read_rules(ctl, error) || !ctl_open(ctl, CTL_WRITE, error))
		return false;
	f.batch = (struct ctl_batch){.store = ctl->store, .settled = settled, .context = &f};
	f.keys = g_array_new(FALSE, FALSE, sizeof(struct key));
	f.missed = g_string_new(NULL);
	done = forget_wanted(ctl, wanted, &f, error) && tell_erased(&f, error);
	g_array_unref(f.keys);
	g_string_free(f.missed, TRUE);
	return done;
}

bool
ctl_forget(struct ctl *ctl, int argc, char **argv, GError **error)
{
	struct wanted wanted = {0};
	struct filter_text *text = &wanted.records;
	const GOptionEntry entries[] = {
	    {"client", 0, 0, G_OPTION_ARG_FILENAME, &text->client, CTL_HELP_CLIENT, "CLIENT"},
	    {"sender", 0, 0, G_OPTION_ARG_FILENAME, &text->sender, CTL_HELP_SENDER, "SENDER"},
	    {"recipient", 0, 0, G_OPTION_ARG_FILENAME, &text->recipient, CTL_HELP_RECIPIENT,
		"RECIPIENT"},
	    {"allowed", 0, 0, G_OPTION_ARG_FILENAME, &wanted.allowed, "The exception of that name",
		"CLIENT|SENDER"},
	    {"expected", 0, 0, G_OPTION_ARG_FILENAME, &wanted.expected,
		"What is expected of this address or domain", "SENDER"},
	    G_OPTION_ENTRY_NULL,
	};
	bool done = ctl_parse(ctl, entries, 0, 0, &argc, &argv, error);

	if (done && !filter_text_given(text) && !wanted.allowed && !wanted.expected)
		done = ctl_usage(error, "forget what? --client, --sender, --recipient, --allowed "
					"or --expected");
	done = done && forget(ctl, &wanted, error);
	filter_text_clear(text);
	g_free(wanted.allowed);
	g_free(wanted.expected);
	return done;
}
