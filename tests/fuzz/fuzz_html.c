/* Any text as HTML: what comes out is valid UTF-8, no longer than what entities and breaks can
 * make of it, and links are absolute. */
#include "config.h"

#include <string.h>
#include <glib.h>
#include "classifier/mail/html.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autofree char *text = g_utf8_make_valid((const char *)data, (gssize)size);
	struct html_sink sink = {.visible = g_string_new(NULL),
	    .hidden = g_string_new(NULL),
	    .links_text = g_string_new(NULL),
	    .links = g_array_new(FALSE, FALSE, sizeof(struct html_link))};
	size_t length = strlen(text);
	html_read(text, length, &sink);
	g_assert_true(g_utf8_validate_len(sink.visible->str, sink.visible->len, NULL));
	g_assert_true(g_utf8_validate_len(sink.hidden->str, sink.hidden->len, NULL));
	g_assert_cmpuint(sink.visible->len + sink.hidden->len, <=, 3 * length + 16);
	size_t end = 0;
	for (unsigned i = 0; i < sink.links->len; i++) {
		const struct html_link *link = &g_array_index(sink.links, struct html_link, i);
		const char *url = sink.links_text->str + link->offset;
		g_assert_cmpuint(link->offset, >=, end);
		end = link->offset + link->length;
		g_assert_cmpuint(end, <=, sink.links_text->len);
		g_assert_true(memchr(url, ':', link->length) || !strncmp(url, "//", 2));
	}
	g_string_free(sink.visible, TRUE);
	g_string_free(sink.hidden, TRUE);
	g_string_free(sink.links_text, TRUE);
	g_array_free(sink.links, TRUE);
	return 0;
}
