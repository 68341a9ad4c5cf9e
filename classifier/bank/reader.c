#include "config.h"

#include "classifier/bank/reader.h"

#include <string.h>

#include "classifier/features/dialogue.h"
#include "classifier/bank/recall.h"
#include "classifier/mail/results.h"

struct reader {
	struct message_options message;
	struct token_options tokens;
	struct ngrams *ngrams;
	struct recall *recall; /* NULL for none */
};

/* A list that names nothing is no list. */
static const char *const *
list_or_null(const struct settings *settings, enum setting setting)
{
	const char *const *list = settings_list(settings, setting);

	return *list ? list : NULL;
}

struct reader *
reader_new(const struct settings *settings)
{
	struct reader *reader = g_new(struct reader, 1);

	reader->message = message_options_default();
	reader->message.limits.message =
	    (size_t)settings_number(settings, SETTING_CLASSIFIER_MAX_MESSAGE);
	reader->message.own_hosts = list_or_null(settings, SETTING_CLASSIFIER_OWN_HOSTS);
	reader->tokens = token_options_default();
	reader->tokens.pairs = settings_on(settings, SETTING_CLASSIFIER_PAIRS);
	reader->tokens.trusted_authserv_ids =
	    list_or_null(settings, SETTING_CLASSIFIER_AUTHSERV_IDS);
	reader->ngrams = ngrams_new();
	reader->recall = NULL;
	return reader;
}

void
reader_follow(struct reader *reader, const struct model *model)
{
	reader->tokens.bogowords = model_has_only_list(model);
}

void
reader_free(struct reader *reader)
{
	if (!reader)
		return;
	ngrams_free(reader->ngrams);
	recall_free(reader->recall);
	g_free(reader);
}

void
reader_set_bank(struct reader *reader, struct bank *bank)
{
	recall_free(reader->recall);
	reader->recall = recall_new(bank);
}

struct reading *
reader_begin(struct reader *reader, const uint8_t *bytes, size_t length)
{
	struct reading *reading = g_new0(struct reading, 1);

	reading->message = message_read(bytes, length, &reader->message);
	tokens_init(&reading->tokens);
	tokens_read(&reading->tokens, reading->message, &reader->tokens);
	return reading;
}

void
reader_recall(struct reader *reader, struct reading *reading)
{
	struct recalled recalled;

	if (!reader->recall)
		return;
	recalled = recall_message(reader->recall, reading->message->canonical.digest);
	dialogue_put(&reading->tokens, recalled.dialogue);
	reading->dialogue = recalled.dialogue;
	reading->delivered = recalled.delivered;
	reading->delivery = (struct delivery_seen){recalled.judged, recalled.score, recalled.time};
}

void
reader_finish(struct reader *reader, struct reading *reading)
{
	ngrams_read(reader->ngrams, reading->message, &reading->tokens, &reading->features);
	reading->features.dialogue = reading->dialogue;
}

struct reading *
reader_read(struct reader *reader, const uint8_t *bytes, size_t length)
{
	struct reading *reading = reader_begin(reader, bytes, length);

	reader_recall(reader, reading);
	reader_finish(reader, reading);
	g_clear_pointer(&reading->message, message_free);
	return reading;
}

/* The field that begins at AT with its folded lines ends at END. */
static bool
is_trusted_result(const struct reader *reader, const uint8_t *at, const uint8_t *end)
{
	static const char name[] = "authentication-results:";
	const char *value = (const char *)at + strlen(name);

	if ((size_t)(end - at) < strlen(name) ||
	    g_ascii_strncasecmp((const char *)at, name, strlen(name)) != 0)
		return false;
	while (value < (const char *)end && g_ascii_isspace(*value))
		value++;
	return results_are_trusted(
	    value, (size_t)((const char *)end - value), reader->tokens.trusted_authserv_ids);
}

static const uint8_t *
field_end(const uint8_t *at, const uint8_t *end)
{
	do {
		const uint8_t *newline = memchr(at, '\n', (size_t)(end - at));

		at = newline ? newline + 1 : end;
	} while (at < end && (*at == ' ' || *at == '\t'));
	return at;
}

struct reading *
reader_read_sent(struct reader *reader, const struct reading *whole)
{
	const struct canonical *c = &whole->message->canonical;
	struct message_options options = reader->message;
	g_autoptr(GByteArray) sent = g_byte_array_new();
	struct reading *reading = g_new0(struct reading, 1);
	const uint8_t *at = c->bytes, *header = c->bytes + c->header_length;

	while (at < header) {
		const uint8_t *end = field_end(at, header);

		if (!is_trusted_result(reader, at, end))
			g_byte_array_append(sent, at, (guint)(end - at));
		at = end;
	}
	g_byte_array_append(sent, header, (guint)(c->length - c->header_length));
	/* Those fields are out already; one more that says so is the sender's. */
	options.own_hosts = NULL;
	reading->message = message_read(sent->data, sent->len, &options);
	tokens_init(&reading->tokens);
	tokens_read(&reading->tokens, reading->message, &reader->tokens);
	reader_finish(reader, reading);
	return reading;
}

size_t
reading_shrink(struct reading *reading)
{
	const struct tokens *tokens = &reading->tokens;
	size_t slots = 0;

	tokens_shrink(&reading->tokens);
	features_shrink(&reading->features);
	for (unsigned voice = 0; voice < VOICES; voice++)
		slots += reading->features.voices[voice].count;
	return sizeof *reading + tokens->used + tokens->count * sizeof *tokens->list +
	       slots * sizeof *reading->features.block;
}

void
reading_free(struct reading *reading)
{
	if (!reading)
		return;
	if (reading->message)
		message_free(reading->message);
	tokens_clear(&reading->tokens);
	features_clear(&reading->features);
	g_free(reading);
}
