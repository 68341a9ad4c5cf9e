#include "config.h"

#include <stdio.h>
#include <string.h>

#include "db/reputation.h"
#include "policyd/client.h"
#include "policyd/ctl.h"
#include "policyd/ctl_allow.h"
#include "policyd/ctl_filter.h"

/* Keys are gathered while a scan shows records, and their records changed between its steps. */
struct forget {
	struct filter filter;
	struct ctl_batch batch;
	GArray *keys; /* struct key */
	enum store_space space;
	uint64_t erased[STORE_SPACES], malformed;
};

struct key {
	uint8_t length;
	uint8_t bytes[EXPECTED_KEY_SIZE];
};

G_STATIC_ASSERT(CLIENT_KEY_MAX <= EXPECTED_KEY_SIZE && KEYEDHASH_SIZE <= EXPECTED_KEY_SIZE);

static bool
filter_matches_any(const struct filter *filter, const struct triplet *t)
{
	bool any = false;

	for (unsigned i = 0; i < t->n_sightings; i++)
		any |= filter_matches_sighting(filter, &t->sightings[i]);
	/* A record that only says that others overflowed is of the pair alone. */
	if (t->n_sightings == 0)
		any = filter->client.address.family == ADDRESS_NONE;
	return any && filter_matches_pair(filter, t);
}

static void
remember(struct forget *f, const struct store_bytes *key)
{
	struct key k = {.length = (uint8_t)MIN(key->length, sizeof k.bytes)};

	memcpy(k.bytes, key->data, k.length);
	g_array_append_val(f->keys, k);
}

static bool
find_triplet(void *context, const struct store_bytes *key, const struct store_bytes *value,
    int64_t expires G_GNUC_UNUSED)
{
	struct forget *f = context;
	struct triplet t;

	if (!triplet_decode(value, &t))
		f->malformed++;
	else if (filter_matches_any(&f->filter, &t))
		remember(f, key);
	return true;
}

static bool
find_client(void *context, const struct store_bytes *key,
    const struct store_bytes *value G_GNUC_UNUSED, int64_t expires G_GNUC_UNUSED)
{
	struct forget *f = context;
	struct prefix client;

	if (client_key_decode(key, &client) && filter_networks_meet(&f->filter.client, &client))
		remember(f, key);
	return true;
}

/* Of a network alone: names and domains are of many. */
static bool
find_reputation(void *context, const struct store_bytes *key,
    const struct store_bytes *value G_GNUC_UNUSED, int64_t expires G_GNUC_UNUSED)
{
	struct forget *f = context;
	struct prefix network;

	if (reputation_key_network(key, &network) &&
	    filter_networks_meet(&f->filter.client, &network))
		remember(f, key);
	return true;
}

/* What is expected, of the sender and to the recipient that are meant; the operator's exceptions
 * are of no address. */
static bool
find_expected(void *context, const struct store_bytes *key, const struct store_bytes *value,
    int64_t expires G_GNUC_UNUSED)
{
	struct forget *f = context;
	struct expected_entry e;
	struct triplet pair;

	if (!expected_is_key(key))
		return true;
	if (!expected_decode(key, value, &e)) {
		f->malformed++;
		return true;
	}
	pair = (struct triplet){.sender = e.sender, .recipient = e.recipient, .hashed = e.hashed};
	if (filter_matches_pair(&f->filter, &pair))
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

	if (!triplet_decode(old, &t) || !filter_matches_any(job->filter, &t))
		return;
	for (unsigned i = 0; i < t.n_sightings; i++)
		if (!filter_matches_sighting(job->filter, &t.sightings[i]))
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
forget_in(struct ctl *ctl, struct forget *f, enum store_space space, GError **error)
{
	static const store_record_fn find[] = {
	    [STORE_TRIPLETS] = find_triplet,
	    [STORE_CLIENTS] = find_client,
	    [STORE_ALLOWED] = find_expected,
	    [STORE_REPUTATION] = find_reputation,
	};
	bool done;

	f->space = space;
	done = ctl_scan(ctl, space, find[space], forget_found, f, error);
	return ctl_batch_end(&f->batch, done ? error : NULL) && done;
}

static bool
forget_records(struct ctl *ctl, const struct filter_text *text, struct forget *f, GError **error)
{
	bool pair = text->sender || text->recipient;

	if (!filter_init(&f->filter, text, &ctl->rules->greylist, store_hash_key(ctl->store),
		ctl->now, error) ||
	    !forget_in(ctl, f, STORE_TRIPLETS, error))
		return false;
	/* An address' record of passes is of no sender and no recipient, what is expected of no
	 * network. */
	if (text->client && !pair)
		return forget_in(ctl, f, STORE_CLIENTS, error) &&
		       forget_in(ctl, f, STORE_REPUTATION, error);
	return text->client || forget_in(ctl, f, STORE_ALLOWED, error);
}

/* Whoever waits for it. */
static bool
forget_expected(struct ctl *ctl, const char *sender, struct forget *f, GError **error)
{
	char parsed[ENVELOPE_ADDRESS_SIZE];
	struct filter_text text = {.sender = parsed};
	g_autoptr(GError) wrong = NULL;

	if (!expected_parse(sender, parsed, &wrong))
		return ctl_usage(error, "%s", wrong->message);
	return filter_init(&f->filter, &text, &ctl->rules->greylist, store_hash_key(ctl->store),
		   ctl->now, error) &&
	       forget_in(ctl, f, STORE_ALLOWED, error);
}

struct wanted {
	struct filter_text records;
	char *allowed, *expected;
};

static bool
forget_wanted(struct ctl *ctl, const struct wanted *wanted, struct forget *f, GError **error)
{
	const struct filter_text *text = &wanted->records;
	uint64_t exceptions = 0;

	if ((text->client || text->sender || text->recipient) &&
	    !forget_records(ctl, text, f, error))
		return false;
	if (wanted->expected && !forget_expected(ctl, wanted->expected, f, error))
		return false;
	if (wanted->allowed && !ctl_allow_erase(ctl, wanted->allowed, &exceptions, error))
		return false;
	f->erased[STORE_ALLOWED] += exceptions;
	return true;
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
	done = forget_wanted(ctl, wanted, &f, error);
	g_array_unref(f.keys);
	if (!done)
		return false;
	printf("erased %" G_GUINT64_FORMAT " triplets, %" G_GUINT64_FORMAT
	       " clients, %" G_GUINT64_FORMAT " exceptions, %" G_GUINT64_FORMAT
	       " networks' reputations\n",
	    f.erased[STORE_TRIPLETS], f.erased[STORE_CLIENTS], f.erased[STORE_ALLOWED],
	    f.erased[STORE_REPUTATION]);
	if (!f.malformed)
		return true;
	return ctl_fail(error,
	    "%" G_GUINT64_FORMAT " damaged records could not be looked at; see greylagctl check",
	    f.malformed);
}

bool
ctl_forget(struct ctl *ctl, int argc, char **argv, GError **error)
{
	struct wanted wanted = {0};
	struct filter_text *text = &wanted.records;
	const GOptionEntry entries[] = {
	    {"client", 0, 0, G_OPTION_ARG_FILENAME, &text->client, "Seen from NET", "NET"},
	    {"sender", 0, 0, G_OPTION_ARG_FILENAME, &text->sender, "Of this sender", "S"},
	    {"recipient", 0, 0, G_OPTION_ARG_FILENAME, &text->recipient, "To this recipient", "R"},
	    {"allowed", 0, 0, G_OPTION_ARG_FILENAME, &wanted.allowed, "This exception",
		"NET|DOMAIN"},
	    {"expected", 0, 0, G_OPTION_ARG_FILENAME, &wanted.expected,
		"What is expected of this sender", "SENDER|DOMAIN"},
	    G_OPTION_ENTRY_NULL,
	};
	bool done = ctl_parse(ctl, entries, 0, 0, &argc, &argv, error);

	if (done && !text->client && !text->sender && !text->recipient && !wanted.allowed &&
	    !wanted.expected)
		done = ctl_usage(error, "forget what? --client, --sender, --recipient, --allowed "
					"or --expected");
	done = done && forget(ctl, &wanted, error);
	filter_text_clear(text);
	g_free(wanted.allowed);
	g_free(wanted.expected);
	return done;
}
