#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "policyd/ctl/ctl.h"
#include "policyd/ctl/json.h"

/* What greylisting knows. A local store's journal is of no use elsewhere. */
static const enum store_space exported[] = {
    STORE_TRIPLETS, STORE_CLIENTS, STORE_ALLOWED, STORE_HOURS, STORE_DOMAINS};

struct exporter {
	const uint8_t *hash_key;
	enum store_space space;
	unsigned malformed;
};

static bool
write_record(
    void *context, const struct store_bytes *key, const struct store_bytes *value, int64_t expires)
{
	struct exporter *exporter = context;
	json_t *object = ctl_json_record(exporter->hash_key, exporter->space, key, value, expires);

	if (object)
		ctl_json_print(object);
	else
		exporter->malformed++;
	return !ferror(stdout);
}

/* Standard output becomes the file, while root may write where the store's owner may not. It has
 * people's addresses in it: nobody else is to read it. */
static bool
open_output(const char *name, GError **error)
{
	umask(077);
	if (name && strcmp(name, "-") != 0 && !freopen(name, "w", stdout))
		return ctl_fail(error, "%s: %s", name, g_strerror(errno));
	return true;
}

bool
ctl_export(struct ctl *ctl, int argc, char **argv, GError **error)
{
	struct exporter exporter = {0};

	if (!ctl_parse(ctl, NULL, 0, 1, &argc, &argv, error) || !open_output(argv[1], error) ||
	    !ctl_open(ctl, CTL_READ, error))
		return false;
	exporter.hash_key = store_hash_key(ctl->store);
	ctl_json_print(ctl_json_header(exporter.hash_key, ctl->now));
	for (size_t i = 0; i < G_N_ELEMENTS(exported); i++) {
		exporter.space = exported[i];
		if (!ctl_scan(ctl, exporter.space, write_record, NULL, &exporter, error))
			return false;
	}
	return ctl_whole(exporter.malformed, error);
}
