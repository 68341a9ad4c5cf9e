/*
 * What greylagctl imports: the first byte chooses the format, the rest are its lines. A record
 * that is taken can be stored, and what is stored can be read.
 */
#include "config.h"

#include <stdint.h>
#include <string.h>
#include <glib.h>

#include "policyd/ctl/foreign.h"
#include "policyd/ctl/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t hash_key[KEYEDHASH_KEY_SIZE] = "0123456789abcde";
static const struct greylist_rules rules = {
    .delay = 60, .retry_window = 86400, .lifetime = 3024000, .ipv4_prefix = 24, .ipv6_prefix = 64};
static const struct foreign foreign = {
    .delay = FOREIGN_POSTGREY_DELAY, .rules = &rules, .hash_key = hash_key};

static void
check_record(const struct ctl_record *record)
{
	uint8_t bytes[TRIPLET_RECORD_MAX];
	struct store_bytes value = {bytes, 0};
	struct triplet t;
	struct client client;
	struct prefix network;
	struct expected_entry expected;
	struct store_bytes key = {record->key, record->key_length};

	g_assert_cmpuint(record->key_length, >, 0);
	g_assert_cmpuint(record->key_length, <=, STORE_KEY_MAX);
	if (record->space == STORE_TRIPLETS) {
		value.length = triplet_encode(&record->triplet, bytes);
		g_assert_true(triplet_decode(&value, &t));
		g_assert_cmpuint(t.n_sightings, ==, record->triplet.n_sightings);
	} else if (record->space == STORE_CLIENTS) {
		value.length = client_encode(&record->client, bytes);
		g_assert_true(client_decode(&value, &client));
		g_assert_true(client_key_decode(&key, &network));
	} else if (record->space == STORE_ALLOWED && record->is_expected) {
		value.length = expected_encode(&record->expected, bytes);
		g_assert_true(expected_decode(&key, &value, &expected));
		g_assert_cmpint(expected.hashed, ==, record->expected.hashed);
	}
}

static void
take_line(char format, const char *line, struct ctl_record *record, struct ctl_json_reader *reader,
    struct foreign_dump *dump)
{
	g_autofree char *value = NULL;
	bool header = false, taken = false;

	if (format == 'j')
		taken = ctl_json_read(reader, line, strlen(line), record, &header, NULL);
	else if (format == 'g')
		taken = foreign_greyfix(&foreign, line, record, NULL);
	else if (foreign_dump_line(dump, line, &value, NULL) == FOREIGN_PAIR)
		taken = foreign_postgrey(&foreign, dump->key, value, record, NULL);
	if (taken && !header)
		check_record(record);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autofree char *text = g_strndup((const char *)data, size);
	struct ctl_json_reader reader = {.hash_key = hash_key};
	struct foreign_dump dump = {0};
	struct ctl_record record;
	g_auto(GStrv) lines = g_strsplit(*text ? text + 1 : text, "\n", -1);

	ctl_record_init(&record);
	for (char **line = lines; *line; line++)
		take_line(text[0], *line, &record, &reader, &dump);
	ctl_record_clear(&record);
	foreign_dump_clear(&dump);
	return 0;
}
