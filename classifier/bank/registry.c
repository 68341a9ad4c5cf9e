/* A record (db/record.h); signed numbers are zigzag: 0 -1 1 -2 ... as 0 1 2 3. */
#include "config.h"

#include "classifier/bank/registry.h"

#include <math.h>

#include "db/record.h"

#define REGISTRY_VERSION 1

/* Evidence is kept to a thousandth. */
#define EVIDENCE_UNIT 1000.0

enum registry_tag {
	TAG_CLASS = 1, /* 1 ham, 2 spam */
	TAG_DAY,
	TAG_TOKENS_VERSION,
	TAG_NGRAMS_VERSION,
	TAG_CHECKSUM, /* one field a voice, in their order */
	TAG_STEP,     /* a voice's numbers; one field a voice, in their order */
	TAG_MIXTURE,  /* its numbers */
	TAG_VERDICT,  /* before it was learned */
	TAG_EVIDENCE,
	TAG_REMEMBERED,
	TAG_DIALOGUE, /* unless 0 */
};

enum { TAG_NUMBER = 1 }; /* inside a step or mixture */

static uint64_t
zigzag(int64_t number)
{
	return (uint64_t)number << 1 ^ (uint64_t)(number >> 63);
}

static int64_t
unzigzag(uint64_t number)
{
	return (int64_t)(number >> 1) ^ -(int64_t)(number & 1);
}

static void
write_numbers(struct record_writer *writer, uint8_t tag, const int32_t *numbers, size_t n)
{
	uint8_t bytes[128];
	struct record_writer w;

	record_writer_init(&w, bytes, sizeof bytes);
	for (size_t i = 0; i < n; i++)
		record_write_number(&w, TAG_NUMBER, zigzag(numbers[i]));
	record_write_bytes(writer, tag, bytes, w.used);
}

static void
read_numbers(
    struct record_reader *reader, const struct record_field *field, int32_t *numbers, size_t n)
{
	struct record_reader nested;
	struct record_field f;

	record_reader_nested(&nested, field);
	for (size_t i = 0; i < n && record_next(&nested, &f); i++)
		numbers[i] = (int32_t)unzigzag(record_number(&nested, &f));
	reader->broken |= nested.broken;
}

size_t
registry_encode(const struct model_entry *entry, uint8_t ret_bytes[REGISTRY_ENTRY_MAX])
{
	struct record_writer w;

	record_writer_init(&w, ret_bytes, REGISTRY_ENTRY_MAX);
	record_write_version(&w, REGISTRY_VERSION);
	record_write_number(&w, TAG_CLASS, entry->spam ? 2 : 1);
	record_write_number(&w, TAG_DAY, entry->day);
	record_write_number(&w, TAG_TOKENS_VERSION, entry->tokens_version);
	record_write_number(&w, TAG_NGRAMS_VERSION, entry->ngrams_version);
	for (unsigned v = 0; v < VOICES; v++) {
		const struct voice_step *s = &entry->steps[v];
		const int32_t numbers[] = {s->z, s->n, s->bias_z, s->bias_n, s->taken};

		record_write_number(&w, TAG_CHECKSUM, entry->checksums[v]);
		write_numbers(&w, TAG_STEP, numbers, G_N_ELEMENTS(numbers));
	}
	write_numbers(&w, TAG_MIXTURE, entry->mixture.cells, MIXTURE_CELLS);
	record_write_number(&w, TAG_VERDICT, entry->before);
	record_write_number(&w, TAG_EVIDENCE, zigzag(llrint(entry->evidence * EVIDENCE_UNIT)));
	record_write_number(&w, TAG_REMEMBERED, entry->remembered);
	if (entry->dialogue)
		record_write_number(&w, TAG_DIALOGUE, entry->dialogue);
	return w.used;
}

static void
read_step(struct record_reader *reader, const struct record_field *field, struct voice_step *step)
{
	int32_t numbers[5] = {0};

	read_numbers(reader, field, numbers, G_N_ELEMENTS(numbers));
	*step = (struct voice_step){.z = numbers[0],
	    .n = numbers[1],
	    .bias_z = numbers[2],
	    .bias_n = numbers[3],
	    .taken = numbers[4]};
}

/* How many of the fields that come once a voice there were. */
struct repeats {
	unsigned checksums, steps;
};

static void
read_field(struct record_reader *reader, const struct record_field *f, struct model_entry *entry,
    struct repeats *repeats)
{
	switch (f->tag) {
	case TAG_CLASS: entry->spam = record_number(reader, f) == 2; break;
	case TAG_DAY: entry->day = (uint32_t)record_number(reader, f); break;
	case TAG_TOKENS_VERSION: entry->tokens_version = (uint16_t)record_number(reader, f); break;
	case TAG_NGRAMS_VERSION: entry->ngrams_version = (uint16_t)record_number(reader, f); break;
	case TAG_CHECKSUM:
		if (repeats->checksums < VOICES)
			entry->checksums[repeats->checksums++] = (uint32_t)record_number(reader, f);
		break;
	case TAG_STEP:
		if (repeats->steps < VOICES)
			read_step(reader, f, &entry->steps[repeats->steps++]);
		break;
	case TAG_MIXTURE: read_numbers(reader, f, entry->mixture.cells, MIXTURE_CELLS); break;
	case TAG_VERDICT: entry->before = (enum verdict)record_number(reader, f); break;
	case TAG_EVIDENCE:
		entry->evidence = (double)unzigzag(record_number(reader, f)) / EVIDENCE_UNIT;
		break;
	case TAG_DIALOGUE: entry->dialogue = (uint16_t)record_number(reader, f); break;
	case TAG_REMEMBERED: entry->remembered = record_number(reader, f) != 0; break;
	}
}

bool
registry_decode(const struct store_bytes *bytes, struct model_entry *ret_entry)
{
	struct model_entry entry = {0};
	struct record_reader reader;
	struct record_field f;
	struct repeats repeats = {0};
	uint8_t version;

	record_reader_init(&reader, bytes->data, bytes->length, &version);
	while (record_next(&reader, &f))
		read_field(&reader, &f, &entry, &repeats);
	if (version == 0 || reader.broken || entry.before > VERDICT_UNSURE)
		return false;
	*ret_entry = entry;
	return true;
}

/* -- two trainers -- */

static bool
same_steps(const struct model_entry *a, const struct model_entry *b)
{
	bool same = a->remembered == b->remembered;

	for (unsigned v = 0; v < VOICES; v++) {
		const struct voice_step *x = &a->steps[v], *y = &b->steps[v];

		same &= x->z == y->z && x->n == y->n && x->bias_z == y->bias_z &&
			x->bias_n == y->bias_n && x->taken == y->taken;
	}
	for (unsigned c = 0; c < MIXTURE_CELLS; c++)
		same &= a->mixture.cells[c] == b->mixture.cells[c];
	return same;
}

/* The same message as the same class, read in the same way. */
static bool
same_message(const struct model_entry *a, const struct model_entry *b)
{
	bool same = a->spam == b->spam;

	for (unsigned v = 0; v < VOICES; v++)
		same &= a->checksums[v] == b->checksums[v];
	return same;
}

/* Adds what CURRENT has more than BASE. */
static bool
add_difference(
    struct model_entry *entry, const struct model_entry *base, const struct model_entry *current)
{
	struct mixture_step less = mixture_step_negated(&base->mixture);
	bool fits = mixture_step_add(&entry->mixture, &current->mixture) &&
		    mixture_step_add(&entry->mixture, &less);

	for (unsigned v = 0; v < VOICES && fits; v++) {
		struct voice_step without = voice_step_negated(&base->steps[v]);

		fits = voice_step_add(&entry->steps[v], &current->steps[v]) &&
		       voice_step_add(&entry->steps[v], &without);
	}
	return fits;
}

bool
registry_merge(const struct model_entry *base, const struct model_entry *current,
    const struct model_entry *mine, struct model_entry *ret_merged)
{
	struct model_entry merged;

	if (!base != !current)
		return false;
	if (base && (!mine || !same_message(base, mine))) {
		if (!same_message(base, current) || !same_steps(base, current))
			return false;
	}
	if (!mine)
		return true;
	merged = *mine;
	if (base && same_message(base, mine)) {
		bool let_go = mine->remembered != base->remembered;

		if (!same_message(base, current) ||
		    (let_go && current->remembered != base->remembered) ||
		    !add_difference(&merged, base, current))
			return false;
		merged.remembered = let_go ? mine->remembered : current->remembered;
	}
	*ret_merged = merged;
	return true;
}
