#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "db/history/deliveries.h"
#include "policyd/decide/allowed.h"
#include "policyd/decide/client.h"
#include "policyd/ctl/ctl.h"
#include "policyd/decide/domains.h"
#include "policyd/stats/tally.h"
#include "policyd/decide/triplet.h"

/* -- check -- */

static bool
good_triplet(const struct store_bytes *key, const struct store_bytes *value)
{
	struct triplet t;

	return key->length == KEYEDHASH_SIZE && triplet_decode(value, &t) &&
	       (t.n_sightings || t.overflow_until);
}

static bool
good_client(const struct store_bytes *key, const struct store_bytes *value)
{
	struct prefix network;
	struct client client;

	return client_key_decode(key, &network) && client_decode(value, &client);
}

static bool
good_allowed(const struct store_bytes *key, const struct store_bytes *value)
{
	struct allowed_entry entry;
	struct expected_entry expected;
	g_autofree char *text = g_strndup(key->data, key->length);

	if (expected_is_key(key))
		return expected_decode(key, value, &expected);
	return allowed_decode(value, &entry) && allowed_is_key(text);
}

static bool
good_hour(const struct store_bytes *key, const struct store_bytes *value)
{
	return tally_key_hour(key) >= 0 && value->length % 4 == 0;
}

static bool
good_reputation(const struct store_bytes *key, const struct store_bytes *value)
{
	struct reputation reputation;

	return reputation_key_kind(key) && reputation_decode(value, &reputation);
}

static bool
good_delivery(const struct store_bytes *key, const struct store_bytes *value)
{
	struct delivery_record record;

	return key->length == DELIVERY_KEY_SIZE && delivery_decode(value, &record);
}

static bool
good_domain(const struct store_bytes *key, const struct store_bytes *value)
{
	char domain[DOMAINS_NAME_SIZE];
	int64_t day;

	return domains_key_decode(key, &day, domain) && value->length % 4 == 0;
}

static bool
check_record(enum store_space space, const struct store_bytes *key, const struct store_bytes *value)
{
	static bool (*const checks[STORE_SPACES])(
	    const struct store_bytes *key, const struct store_bytes *value) = {
	    [STORE_TRIPLETS] = good_triplet,
	    [STORE_CLIENTS] = good_client,
	    [STORE_ALLOWED] = good_allowed,
	    [STORE_HOURS] = good_hour,
	    [STORE_VERDICTS] = good_hour,
	    [STORE_REPUTATION] = good_reputation,
	    [STORE_DELIVERIES] = good_delivery,
	    [STORE_DOMAINS] = good_domain,
	};

	return !checks[space] || checks[space](key, value);
}

static void
on_problem(void *context, const char *sentence)
{
	unsigned *n = context;

	(*n)++;
	printf("%s\n", sentence);
}

bool
ctl_check(struct ctl *ctl, int argc, char **argv, GError **error)
{
	unsigned problems = 0;
	enum store_result result;

	if (!ctl_parse(ctl, NULL, 0, 0, &argc, &argv, error) || !ctl_open(ctl, CTL_READ, error))
		return false;
	result = store_check(ctl->store, check_record, on_problem, &problems);
	if (problems)
		return ctl_fail(error, "%u problems were found", problems);
	if (result != STORE_OK)
		return ctl_store_fail(ctl->store, result, error);
	printf("the store is good\n");
	return true;
}

/* -- backup -- */

/* Root may write where the store's owner may not: it makes the folder and gives it away. */
static bool
make_folder(const struct ctl *ctl, const char *folder, bool *ret_made, GError **error)
{
	const char *uri = settings_text(ctl->settings, SETTING_STORE_URI);
	struct stat store;

	*ret_made = false;
	if (geteuid() != 0 || !g_str_has_prefix(uri, "lmdb:") ||
	    stat(uri + strlen("lmdb:"), &store) != 0)
		return true;
	if (mkdir(folder, 0700) != 0 || chown(folder, store.st_uid, store.st_gid) != 0)
		return ctl_fail(error, "%s: %s", folder, g_strerror(errno));
	*ret_made = true;
	return true;
}

static bool
move_all(const char *from, const char *to, GError **error)
{
	g_autoptr(GDir) files = g_dir_open(from, 0, error);
	const char *name;

	if (!files)
		return false;
	while ((name = g_dir_read_name(files))) {
		g_autofree char *old = g_build_filename(from, name, NULL);
		g_autofree char *new = g_build_filename(to, name, NULL);

		if (rename(old, new) != 0)
			return ctl_fail(error, "%s: %s", old, g_strerror(errno));
	}
	return rmdir(from) == 0 || ctl_fail(error, "%s: %s", from, g_strerror(errno));
}

/* The store makes the folder of a copy itself: where it is there already, one inside it. */
static bool
copy_store(struct ctl *ctl, const char *folder, bool made, GError **error)
{
	g_autofree char *inner = g_build_filename(folder, "new", NULL);

	if (!made)
		return store_backup(ctl->store, folder, error);
	return store_backup(ctl->store, inner, error) && move_all(inner, folder, error);
}

bool
ctl_backup(struct ctl *ctl, int argc, char **argv, GError **error)
{
	bool made;

	if (!ctl_parse(ctl, NULL, 1, 1, &argc, &argv, error) ||
	    !make_folder(ctl, argv[1], &made, error) || !ctl_open(ctl, CTL_READ, error) ||
	    !copy_store(ctl, argv[1], made, error))
		return false;
	printf("%s is a copy of the store, to be opened as lmdb:%s\n", argv[1], argv[1]);
	return true;
}
