/*
 * Records as JSON: the lines of "greylagctl export", and values for --json. The one module with
 * jansson in it.
 *
 * Stored bytes are a JSON string if they are valid UTF-8 without NUL, else {"hex": "..."}; an
 * address of which only the hash is kept is {"hash": "..."}. Times are seconds since 1970.
 *
 *	{"type":"header","format":"greylag policy records","version":1,"secret":HEX,"exported":TIME}
 *	{"type":"triplet","key":HEX,"place":PLACE,"sender":BYTES,"recipient":BYTES,"expires":TIME,
 *	    "overflow_until":TIME,"sightings":[{"network":NET,"pool":BYTES,"first":TIME,"last":TIME,
 *	    "passed":TIME,"attempts":N,"moved":BOOL,"observed":BOOL,"others":BOOL,
 *	    "early":[SECONDS,...]},...]}
 *	{"type":"client","network":NET,"passes":N,"counted":TIME,"expires":TIME}
 *	{"type":"allowed","entry":TEXT,"since":TIME,"until":TIME,"expires":TIME}
 *	{"type":"expected","sender":BYTES,"recipient":BYTES,"since":TIME,"until":TIME,
 *	    "expires":TIME}
 *	{"type":"hour","hour":TIME/3600,"cells":[N,...],"expires":TIME}
 *	{"type":"domain","day":TIME/86400,"domain":BYTES,"cells":[N,...],"expires":TIME}
 *
 * SECRET tells the stores' hash keys apart without giving them away. PLACE says what the record's
 * key holds besides the addresses: {"network":NET}, {"pool":BYTES} or, in most, null; by it a
 * store with another hash key finds the record.
 */
#ifndef GREYLAG_POLICYD_CTL_JSON_H
#define GREYLAG_POLICYD_CTL_JSON_H

#include <jansson.h>

#include "policyd/decide/allowed.h"
#include "policyd/decide/client.h"
#include "policyd/decide/triplet.h"

#define CTL_JSON_VERSION 1

/* Sixteen bytes that are the same for the same hash key only. */
void ctl_json_secret(
    const uint8_t hash_key[KEYEDHASH_KEY_SIZE], uint8_t ret_secret[KEYEDHASH_SIZE]);

/* What a triplet's key is made of besides its addresses. */
struct place {
	bool has_network;
	struct prefix network;
	struct store_bytes pool; /* empty if none */
};

/* Finds out by trying; false if the addresses are hashed, or the key fits no place. */
bool place_find(const uint8_t hash_key[KEYEDHASH_KEY_SIZE], const struct triplet *triplet,
    const struct store_bytes *key, struct place *ret_place);
void place_key(const uint8_t hash_key[KEYEDHASH_KEY_SIZE], const struct triplet *triplet,
    const struct place *place, uint8_t ret_key[KEYEDHASH_SIZE]);

json_t *ctl_json_bytes(const struct store_bytes *bytes);
json_t *ctl_json_address(const struct store_bytes *address, bool hashed);
json_t *ctl_json_network(const struct prefix *network);
json_t *ctl_json_sighting(const struct sighting *sighting);
/* The same with the addresses of RECORD (no other field of it is read), the STATE, and the delay
 * of one that has passed. */
json_t *ctl_json_place(
    const struct triplet *record, const struct sighting *sighting, const char *state);

/* {"sender", "recipient", "since", "until"}; no recipient for anybody. */
json_t *ctl_json_expected(const struct expected_entry *entry);

json_t *ctl_json_header(const uint8_t hash_key[KEYEDHASH_KEY_SIZE], int64_t now);
/* NULL for a malformed record. */
json_t *ctl_json_record(const uint8_t hash_key[KEYEDHASH_KEY_SIZE], enum store_space space,
    const struct store_bytes *key, const struct store_bytes *value, int64_t expires);

/* A record that was read from a line; what its pointers point at is in STRINGS. */
struct ctl_record {
	enum store_space space;
	int64_t expires;
	uint8_t key[STORE_KEY_MAX];
	size_t key_length;
	struct triplet triplet;
	struct client client;
	struct allowed_entry allowed;
	bool is_expected; /* in STORE_ALLOWED, the next is meant */
	struct expected_entry expected;
	struct store_cell cells[STORE_CELLS_MAX];
	size_t n_cells;
	GStringChunk *strings;
};

void ctl_record_init(struct ctl_record *record);
void ctl_record_clear(struct ctl_record *record);

/* What the lines after a header are read with. */
struct ctl_json_reader {
	const uint8_t *hash_key;
	bool begun;       /* the header was read */
	bool same_secret; /* keys and hashes are those of this store */
};

/* Reads a line: *RET_HEADER is set if it is the header. */
bool ctl_json_read(struct ctl_json_reader *reader, const char *line, size_t length,
    struct ctl_record *record, bool *ret_header, GError **error);

/* Prints OBJECT as a line on standard output and frees it. */
void ctl_json_print(json_t *object);

#endif
