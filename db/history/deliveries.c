/*
 * Record (db/record.h), judged spam with 0.987 at 1795000000, from 192.0.2.1, for two recipients
 * of example.org, first contact, after 65 s, with attempts after 0 and 65 s:
 *
 *	01  01 04 6a fd 86 c0  02 04 c0 00 02 01  05 01 01  08 02 03 db
 *	    09 10 01 0b 65 78 61 6d 70 6c 65 2e 6f 72 67  02 01 02
 *	    0a 01 01  0b 01 41  0c 01 02  0e 00  0e 01 41
 */
#include "config.h"

#include "db/history/deliveries.h"

#include <string.h>

#include "db/record.h"

#define DELIVERY_VERSION 1

enum delivery_tag {
	TAG_TIME = 1,
	TAG_CLIENT, /* 4 or 16 bytes */
	TAG_NAME,
	TAG_AUTH,      /* each */
	TAG_JUDGED,    /* verdicts that are 0 (ham) are not written */
	TAG_VERDICT,   /* if it is another */
	TAG_CORRECTED, /* present: it was */
	TAG_SCORE,
	TAG_RECIPIENTS, /* each: TAG_DOMAIN, TAG_COUNT */
	TAG_CONTACT,
	TAG_DELAYED,
	TAG_ATTEMPTS,
	TAG_MOVED,  /* present: it did */
	TAG_OFFSET, /* each */
};

enum recipients_tag { TAG_DOMAIN = 1, TAG_COUNT };

#define TIME_BITS 40

/* -- building -- */

static bool
same_bytes(const struct store_bytes *a, const struct store_bytes *b)
{
	return a->length == b->length && (!a->length || memcmp(a->data, b->data, a->length) == 0);
}

static bool
is_domain(const struct store_bytes *domain)
{
	return domain->length > 0 && domain->length <= DELIVERY_DOMAIN_MAX;
}

void
delivery_add_auth(struct delivery_record *record, struct store_bytes domain)
{
	if (!is_domain(&domain))
		return;
	for (unsigned i = 0; i < record->n_auth; i++)
		if (same_bytes(&record->auth[i], &domain))
			return;
	if (record->n_auth < DELIVERY_AUTH_MAX)
		record->auth[record->n_auth++] = domain;
}

bool
delivery_add_recipient(struct delivery_record *record, struct store_bytes domain, uint32_t count)
{
	struct delivery_recipients *r = record->recipients;
	unsigned n = record->n_recipients;

	if (!is_domain(&domain))
		return false;
	for (unsigned i = 0; i < n; i++) {
		if (same_bytes(&r[i].domain, &domain)) {
			r[i].count += MIN(count, UINT32_MAX - r[i].count);
			return true;
		}
	}
	if (n == DELIVERY_RECIPIENTS_MAX)
		return false;
	r[n] = (struct delivery_recipients){domain, count};
	record->n_recipients++;
	return true;
}

/* -- decoding -- */

static uint32_t
read_number32(struct record_reader *reader, const struct record_field *f)
{
	uint64_t number = record_number(reader, f);

	if (number > UINT32_MAX)
		reader->broken = true;
	return (uint32_t)number;
}

static unsigned
read_enum(struct record_reader *reader, const struct record_field *f, unsigned n)
{
	uint32_t number = read_number32(reader, f);

	if (number >= n)
		reader->broken = true;
	return reader->broken ? 0 : number;
}

static struct store_bytes
read_domain(struct record_reader *reader, const struct record_field *f)
{
	struct store_bytes domain = {f->bytes, f->length};

	if (!is_domain(&domain))
		reader->broken = true;
	return domain;
}

static void
read_client(struct record_reader *reader, const struct record_field *f, struct address *client)
{
	if (f->length != 4 && f->length != 16) {
		reader->broken = true;
		return;
	}
	*client = (struct address){.family = f->length == 4 ? ADDRESS_IPV4 : ADDRESS_IPV6};
	memcpy(client->bytes, f->bytes, f->length);
}

static void
read_recipients(
    struct record_reader *outer, const struct record_field *field, struct delivery_record *record)
{
	struct record_reader reader;
	struct record_field f;
	struct store_bytes domain = {NULL, 0};
	uint32_t count = 0;

	record_reader_nested(&reader, field);
	while (record_next(&reader, &f)) {
		switch (f.tag) {
		case TAG_DOMAIN: domain = read_domain(&reader, &f); break;
		case TAG_COUNT: count = read_number32(&reader, &f); break;
		}
	}
	if (reader.broken || !delivery_add_recipient(record, domain, count))
		outer->broken = true;
}

static void
read_greylist_field(
    struct record_reader *reader, const struct record_field *f, struct delivery_greylist *g)
{
	switch (f->tag) {
	case TAG_CONTACT:
		g->contact = (enum delivery_contact)read_enum(reader, f, DELIVERY_CONTACTS);
		break;
	case TAG_DELAYED: g->delayed = read_number32(reader, f); break;
	case TAG_ATTEMPTS: g->attempts = read_number32(reader, f); break;
	case TAG_MOVED: g->moved = true; break;
	case TAG_OFFSET:
		if (g->n_offsets == DELIVERY_OFFSETS_MAX)
			reader->broken = true;
		else
			g->offsets[g->n_offsets++] = read_number32(reader, f);
		break;
	}
}

static void
read_time(struct record_reader *reader, const struct record_field *f, int64_t *ret_time)
{
	uint64_t number = record_number(reader, f);

	if (number >> TIME_BITS)
		reader->broken = true;
	else
		*ret_time = (int64_t)number;
}

/* *RET_CORRECTION is the verdict if it is not the judged one. */
static void
read_field(struct record_reader *reader, const struct record_field *f,
    struct delivery_record *record, enum delivery_verdict *ret_correction)
{
	switch (f->tag) {
	case TAG_TIME: read_time(reader, f, &record->time); break;
	case TAG_CLIENT: read_client(reader, f, &record->client); break;
	case TAG_NAME: record->name = read_domain(reader, f); break;
	case TAG_AUTH: delivery_add_auth(record, read_domain(reader, f)); break;
	case TAG_JUDGED:
		record->judged = (enum delivery_verdict)read_enum(reader, f, DELIVERY_VERDICTS);
		break;
	case TAG_VERDICT:
		*ret_correction = (enum delivery_verdict)read_enum(reader, f, DELIVERY_VERDICTS);
		break;
	case TAG_CORRECTED: record->corrected = true; break;
	case TAG_SCORE: record->score = read_number32(reader, f); break;
	case TAG_RECIPIENTS: read_recipients(reader, f, record); break;
	default: read_greylist_field(reader, f, &record->greylist); break;
	}
}

bool
delivery_decode(const struct store_bytes *bytes, struct delivery_record *ret_record)
{
	struct record_reader reader;
	struct record_field f;
	struct delivery_record record = {0};
	enum delivery_verdict correction = DELIVERY_VERDICTS;
	uint8_t version;

	record_reader_init(&reader, bytes->data, bytes->length, &version);
	while (record_next(&reader, &f))
		read_field(&reader, &f, &record, &correction);
	record.verdict = correction == DELIVERY_VERDICTS ? record.judged : correction;
	if (reader.broken || record.score > 1000)
		return false;
	*ret_record = record;
	return true;
}

/* -- encoding -- */

static void
write_some(struct record_writer *w, uint8_t tag, uint64_t number)
{
	if (number)
		record_write_number(w, tag, number);
}

static void
write_domain(struct record_writer *w, uint8_t tag, const struct store_bytes *domain)
{
	if (is_domain(domain))
		record_write_bytes(w, tag, domain->data, domain->length);
}

static void
write_recipients(struct record_writer *w, const struct delivery_recipients *recipients)
{
	uint8_t bytes[DELIVERY_DOMAIN_MAX + 16];
	struct record_writer inner;

	record_writer_init(&inner, bytes, sizeof bytes);
	record_write_bytes(&inner, TAG_DOMAIN, recipients->domain.data, recipients->domain.length);
	record_write_number(&inner, TAG_COUNT, recipients->count);
	record_write_bytes(w, TAG_RECIPIENTS, bytes, inner.used);
}

static void
write_greylist(struct record_writer *w, const struct delivery_greylist *g)
{
	write_some(w, TAG_CONTACT, g->contact);
	write_some(w, TAG_DELAYED, g->delayed);
	write_some(w, TAG_ATTEMPTS, g->attempts);
	if (g->moved)
		record_write_number(w, TAG_MOVED, 1);
	for (unsigned i = 0; i < g->n_offsets; i++)
		record_write_number(w, TAG_OFFSET, g->offsets[i]);
}

size_t
delivery_encode(const struct delivery_record *record, uint8_t ret_bytes[DELIVERY_RECORD_MAX])
{
	struct record_writer w;

	record_writer_init(&w, ret_bytes, DELIVERY_RECORD_MAX);
	record_write_version(&w, DELIVERY_VERSION);
	write_some(&w, TAG_TIME, (uint64_t)record->time);
	if (record->client.family != ADDRESS_NONE)
		record_write_bytes(
		    &w, TAG_CLIENT, record->client.bytes, address_size(&record->client));
	write_domain(&w, TAG_NAME, &record->name);
	for (unsigned i = 0; i < record->n_auth; i++)
		write_domain(&w, TAG_AUTH, &record->auth[i]);
	write_some(&w, TAG_JUDGED, record->judged);
	if (record->verdict != record->judged)
		record_write_number(&w, TAG_VERDICT, record->verdict);
	if (record->corrected)
		record_write_number(&w, TAG_CORRECTED, 1);
	write_some(&w, TAG_SCORE, record->score);
	for (unsigned i = 0; i < record->n_recipients; i++)
		write_recipients(&w, &record->recipients[i]);
	write_greylist(&w, &record->greylist);
	return w.used;
}

/* -- a second verdict -- */

static bool
knows_client(const struct delivery_record *record)
{
	return record->client.family != ADDRESS_NONE;
}

void
delivery_merge(const struct delivery_record *old, const struct delivery_record *new,
    struct delivery_record *ret_record)
{
	struct delivery_record merged = *new;

	if (old) {
		bool same = !knows_client(new) || address_equal(&old->client, &new->client);

		if (same)
			merged.time = old->time;
		if (!knows_client(new)) {
			merged.client = old->client;
			merged.name = old->name;
			memcpy(merged.auth, old->auth, sizeof merged.auth);
			merged.n_auth = old->n_auth;
		}
		if (old->corrected) {
			merged.corrected = true;
			merged.verdict = old->verdict;
		}
		for (unsigned i = 0; i < old->n_recipients; i++)
			delivery_add_recipient(
			    &merged, old->recipients[i].domain, old->recipients[i].count);
		if (new->greylist.contact == DELIVERY_UNKNOWN)
			merged.greylist = old->greylist;
	}
	*ret_record = merged;
}
