/* Reading any bytes as a message: valid UTF-8 everywhere, all within the limits, the same again
 * from the canonical bytes. */
#include "config.h"

#include <string.h>
#include <glib.h>
#include "classifier/mail/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_text(const struct message_text *text)
{
	g_assert_true(g_utf8_validate_len(text->text, text->length, NULL));
	g_assert_null(memchr(text->text, '\r', text->length));
}

static void
check_part(const struct message_part *part, const struct message_options *options)
{
	check_text(&part->visible);
	check_text(&part->hidden);
	g_assert_true(g_utf8_validate(part->type, -1, NULL));
	g_assert_true(g_utf8_validate(part->charset, -1, NULL));
	g_assert_true(g_utf8_validate(part->name, -1, NULL));
	g_assert_true(g_utf8_validate(part->encoding, -1, NULL));
	g_assert_cmpuint(part->depth, <=, options->limits.depth);
}

static void
check_message(const struct message *message, const struct message_options *options)
{
	g_assert_cmpuint(message->part_count, >=, 1);
	g_assert_cmpuint(message->part_count, <=, options->limits.parts);
	for (size_t i = 0; i < message->header_count; i++) {
		check_text(&message->headers[i].name);
		check_text(&message->headers[i].value);
	}
	for (size_t i = 0; i < message->part_count; i++)
		check_part(&message->parts[i], options);
	for (size_t i = 0; i < message->link_count; i++)
		check_text(&message->links[i]);
	g_autoptr(GString) lead = g_string_new(NULL);
	message_lead(message, 200, lead);
	g_assert_cmpuint(lead->len, <=, 200);
	g_assert_true(g_utf8_validate_len(lead->str, lead->len, NULL));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const own_hosts[] = {"example.org", NULL};
	struct message_options options = message_options_default();
	options.own_hosts = own_hosts;
	options.limits.depth = 4;
	options.limits.parts = 12;
	options.limits.text = 4096;
	options.limits.header = 2048;
	struct message *message = message_read(data, size, &options);
	check_message(message, &options);

	struct canonical again;
	const struct canonical *first = &message->canonical;
	g_assert_cmpuint(first->header_length, <=, first->body);
	g_assert_cmpuint(first->body, <=, first->length);
	canonical_read(first->bytes, first->length, NULL, options.limits.message, &again);
	/* Of a header of which only odd fields are left nobody can tell that it is one; nor of a
	 * body alone that its first line is no From_ line. */
	if (first->header_length == again.header_length &&
	    !g_str_has_prefix((const char *)first->bytes, "From "))
		g_assert_cmpint(memcmp(first->digest, again.digest, sizeof again.digest), ==, 0);
	canonical_clear(&again);
	message_free(message);
	return 0;
}
