#include "config.h"

#include "lib/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

/* Steps of the matcher before it gives up: some tens of milliseconds at the worst; an honest
 * pattern on a name or an address takes some hundred. */
#define MATCH_LIMIT    100000
#define HEAP_LIMIT_KIB 4096

struct pattern {
	char *text;
	pcre2_code *code;
	pcre2_match_context *context;
};

/* Each thread has one match block for all patterns: nothing of a match is asked but whether. */
static void
free_match_data(gpointer data)
{
	pcre2_match_data_free(data);
}

static pcre2_match_data *
match_data(void)
{
	static GPrivate private = G_PRIVATE_INIT(free_match_data);
	pcre2_match_data *data = g_private_get(&private);

	if (!data) {
		data = pcre2_match_data_create(1, NULL);
		g_private_set(&private, data);
	}
	return data;
}

struct pattern *
pattern_new(const char *expression, GError **error)
{
	struct pattern *pattern;
	PCRE2_UCHAR message[256];
	PCRE2_SIZE offset;
	int code;
	pcre2_code *compiled = pcre2_compile((PCRE2_SPTR)expression, PCRE2_ZERO_TERMINATED,
	    PCRE2_CASELESS | PCRE2_NEVER_BACKSLASH_C | PCRE2_NEVER_UTF, &code, &offset, NULL);

	if (!compiled) {
		pcre2_get_error_message(code, message, sizeof message);
		g_set_error(error, G_REGEX_ERROR, G_REGEX_ERROR_COMPILE,
		    "the expression /%s/ is wrong at character %zu: %s", expression,
		    (size_t)offset + 1, (const char *)message);
		return NULL;
	}
	/* Without a compiler for this machine the interpreter does the same, more slowly. */
	pcre2_jit_compile(compiled, PCRE2_JIT_COMPLETE);
	pattern = g_new0(struct pattern, 1);
	pattern->text = g_strdup(expression);
	pattern->code = compiled;
	pattern->context = pcre2_match_context_create(NULL);
	pcre2_set_match_limit(pattern->context, MATCH_LIMIT);
	pcre2_set_heap_limit(pattern->context, HEAP_LIMIT_KIB);
	return pattern;
}

void
pattern_free(struct pattern *pattern)
{
	if (!pattern)
		return;
	pcre2_match_context_free(pattern->context);
	pcre2_code_free(pattern->code);
	g_free(pattern->text);
	g_free(pattern);
}

const char *
pattern_text(const struct pattern *pattern)
{
	return pattern->text;
}

enum pattern_result
pattern_match(const struct pattern *pattern, const char *subject, size_t length)
{
	int code = pcre2_match(
	    pattern->code, (PCRE2_SPTR)subject, length, 0, 0, match_data(), pattern->context);

	/* The machine code's stack of 32 KiB is too small for honest groups on a long subject. */
	if (code == PCRE2_ERROR_JIT_STACKLIMIT)
		code = pcre2_match(pattern->code, (PCRE2_SPTR)subject, length, 0, PCRE2_NO_JIT,
		    match_data(), pattern->context);
	if (code >= 0)
		return PATTERN_MATCH;
	return code == PCRE2_ERROR_NOMATCH ? PATTERN_NO_MATCH : PATTERN_LIMIT;
}
