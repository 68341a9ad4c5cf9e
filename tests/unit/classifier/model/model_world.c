#include "config.h"

#include <math.h>
#include <string.h>

#include "tests/unit/classifier/model/model_world.h"

/* -- messages -- */

char *
world_header(unsigned number, bool spam)
{
	return g_strdup_printf(
	    "Received: from %s (unknown [192.0.2.%u]) by mx.example.com (Postfix) with ESMTP id "
	    "%08X%u\n\tfor <reader@example.com>; Mon, 2 Nov 2026 08:15:%02u +0100 (CET)\n"
	    "From: %s%u@example.org\nTo: Reader of the House <reader@example.com>\nSubject: %s %u\n"
	    "Message-ID: <%u.%d@example.org>\nMIME-Version: 1.0\nX-Mailer: %s\n"
	    "Content-Type: text/plain; charset=utf-8\n",
	    spam ? "dsl-pool.example.net" : "mail.example.org", number % 9, number * 2654435761u,
	    spam, number % 60, spam ? "seller" : "colleague", number % 9,
	    spam ? "cheap pills" : "our meeting", number, number, spam,
	    spam ? "Bulk Sender 2000 Gold" : "Mozilla Thunderbird");
}

/* Spam speaks of pills, ham of meetings; all have some words in common and some of their own. */
static char *
make_text(unsigned number, bool spam)
{
	g_autofree char *header = world_header(number, spam);

	return g_strdup_printf("%s\n%s number %u of this week, word%u other%u\n", header,
	    spam ? "Buy pills cheap now, offer" : "Please send the minutes, item", number,
	    number * 7 % 31, number * 13);
}

static struct reading *
read_text(struct world *w, const char *text)
{
	return reader_read(w->reader, (const uint8_t *)text, strlen(text));
}

struct reading *
world_read(struct world *w, unsigned number, bool spam)
{
	g_autofree char *text = make_text(number, spam);

	return read_text(w, text);
}

struct reading *
world_read_stuffed(struct world *w, const char *header, const char *said, bool put)
{
	g_autoptr(GString) text = g_string_new(header);

	g_string_append_printf(text, "\n%s\n", said);
	for (unsigned i = 0; put && i < 31; i++)
		g_string_append_printf(text, "please send the minutes item word%u week ", i);
	return read_text(w, text->str);
}

static void
free_reading(gpointer reading)
{
	reading_free(reading);
}

void
world_open(struct world *w)
{
	w->settings = settings_new();
	w->reader = reader_new(w->settings);
	w->readings = g_ptr_array_new_with_free_func(free_reading);
	for (unsigned i = 0; i < MESSAGES; i++)
		g_ptr_array_add(w->readings, world_read(w, i, i % 2));
}

void
world_close(struct world *w)
{
	g_ptr_array_unref(w->readings);
	reader_free(w->reader);
	settings_free(w->settings);
}

struct model_options
world_options_without_memory(void)
{
	struct model_options options = model_options_default();

	options.draws = 0;
	options.memory_bytes = 0;
	return options;
}

struct model *
world_model_without_memory(void)
{
	const struct model_options options = world_options_without_memory();

	return model_new(&options, NULL);
}

struct model *
world_model(void)
{
	const struct model_options options = model_options_default();

	return model_new(&options, NULL);
}

enum model_learned
world_learn_as(struct model *model, const struct reading *r, bool spam)
{
	return model_learn(model, &r->tokens, &r->features, spam, 20000, NULL);
}

void
world_learn(struct world *w, struct model *model, unsigned number)
{
	g_assert_cmpint(
	    world_learn_as(model, w->readings->pdata[number], number % 2), ==, MODEL_LEARNED);
}

void
world_unlearn(struct world *w, struct model *model, unsigned number)
{
	const struct reading *r = w->readings->pdata[number];

	g_assert_cmpint(model_unlearn(model, &r->tokens, &r->features), ==, MODEL_FORGOTTEN);
}

void
world_learn_all(struct world *w, struct model *model)
{
	for (unsigned i = 0; i < MESSAGES; i++)
		world_learn(w, model, i);
}

void
world_unlearn_all(struct world *w, struct model *model)
{
	for (unsigned i = 0; i < MESSAGES; i++)
		world_unlearn(w, model, i);
}

struct model_score
world_judge(struct model *model, const struct reading *r)
{
	struct model_score score;

	g_assert_true(model_judge(model, &r->tokens, &r->features, &score));
	g_assert_true(isfinite(score.evidence));
	return score;
}

double
world_evidence(struct world *w, struct model *model, unsigned number, bool spam)
{
	struct reading *r = world_read(w, number, spam);
	double evidence = world_judge(model, r).evidence;

	reading_free(r);
	return evidence;
}

struct model *
world_train(struct world *w, enum order order)
{
	struct model *model = world_model();

	for (unsigned i = 0; i < MESSAGES; i++) {
		unsigned half = i % (MESSAGES / 2) * 2, second = i >= MESSAGES / 2;

		world_learn(w, model,
		    order == MIXED       ? i
		    : order == BACKWARDS ? MESSAGES - 1 - i
					 : half + (order == HAM_FIRST ? second : !second));
	}
	return model;
}

/* -- what a model holds -- */

struct snapshot {
	unsigned parts;
	GPtrArray *lines;
};

static void
snapshot_add(struct snapshot *s, unsigned part, char *line)
{
	if (s->parts & part)
		g_ptr_array_add(s->lines, line);
	else
		g_free(line);
}

static char *
hex(const uint8_t *bytes, size_t length)
{
	GString *text = g_string_new(NULL);

	for (size_t i = 0; i < length; i++)
		g_string_append_printf(text, "%02x", bytes[i]);
	return g_string_free(text, FALSE);
}

static void
take_head(void *context, const struct model_cell *cells, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		/* These tell of runs and their program, not of what was learned. */
		if (cells[i].index >= MODEL_HEAD_LAYOUT)
			continue;
		unsigned part = cells[i].index <= MODEL_HEAD_IMPORTED_HAM ? COUNTS
				: cells[i].index < MODEL_HEAD_MEMORY_SPAM ? VOICES_LEARNED
									  : MEMORY;

		snapshot_add(
		    context, part, g_strdup_printf("head %02u %d", cells[i].index, cells[i].delta));
	}
}

/* Days are not taken back, and a word that is in no message is none. */
static void
take_token(void *context, const struct model_token *token, int32_t spam, int32_t ham,
    G_GNUC_UNUSED uint32_t day)
{
	if (spam != 0 || ham != 0)
		snapshot_add(context, COUNTS,
		    g_strdup_printf(
			"token %.*s %d %d", (int)token->length, token->text, spam, ham));
}

static void
take_page(
    void *context, unsigned table, uint32_t page, const struct model_cell *cells, size_t count)
{
	for (size_t i = 0; i < count; i++)
		snapshot_add(context, table == MODEL_COUNTS ? COUNTS : VOICES_LEARNED,
		    g_strdup_printf(
			"page %u %04u %04u %d", table, page, cells[i].index, cells[i].delta));
}

static void
take_entry(
    void *context, const uint8_t digest[CANONICAL_DIGEST_SIZE], const struct model_entry *entry)
{
	g_autofree char *name = hex(digest, CANONICAL_DIGEST_SIZE), *steps = NULL;

	if (entry == NULL)
		return;
	steps = hex((const uint8_t *)entry->steps, sizeof(entry->steps));
	snapshot_add(context, ENTRIES,
	    g_strdup_printf("entry %s %d %d %s", name, entry->spam, entry->remembered, steps));
}

static void
take_memory(void *context, const uint8_t digest[CANONICAL_DIGEST_SIZE], bool spam,
    const uint8_t *slots, size_t length)
{
	g_autofree char *name = hex(digest, CANONICAL_DIGEST_SIZE), *bytes = NULL;

	if (slots == NULL)
		return;
	bytes = hex(slots, length);
	snapshot_add(context, MEMORY, g_strdup_printf("memory %s %d %s", name, spam, bytes));
}

static gint
compare_lines(gconstpointer a, gconstpointer b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Of a model that was not drained before; it is freed. */
char *
world_snapshot(struct model *model, unsigned parts)
{
	struct snapshot s = {.parts = parts, .lines = g_ptr_array_new_with_free_func(g_free)};
	const struct model_sink sink = {.context = &s,
	    .head = take_head,
	    .token = take_token,
	    .page = take_page,
	    .entry = take_entry,
	    .memory = take_memory};
	char *text;

	model_drain(model, &sink);
	model_free(model);
	g_ptr_array_sort(s.lines, compare_lines);
	g_ptr_array_add(s.lines, NULL);
	text = g_strjoinv("\n", (char **)s.lines->pdata);
	g_ptr_array_unref(s.lines);
	return text;
}

void
world_assert_empty(struct model *model)
{
	g_autofree char *rest = world_snapshot(model, ALL);

	g_assert_cmpstr(rest, ==, "");
}

/* Not by g_assert_cmpstr(), which would print megabytes. */
void
world_assert_alike(char *a, char *b)
{
	g_assert_cmpuint(strlen(a), >, 0);
	g_assert_true(strcmp(a, b) == 0);
	g_free(a);
	g_free(b);
}
