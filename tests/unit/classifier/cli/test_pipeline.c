#include "config.h"

#include <glib.h>

#include "classifier/cli/pipeline.h"

#define ITEMS 500

struct seen {
	unsigned next, wrong;
};

/* Some items take longer than their neighbours. */
static gpointer
work(gpointer thread_context, gpointer item)
{
	unsigned number = GPOINTER_TO_UINT(item);

	g_atomic_int_inc((gint *)thread_context);
	if (number % 7 == 0)
		g_usleep(500);
	return GUINT_TO_POINTER(number * 2);
}

static void
done(gpointer context, gpointer item, gpointer result)
{
	struct seen *seen = context;

	seen->wrong +=
	    GPOINTER_TO_UINT(item) != ++seen->next || GPOINTER_TO_UINT(result) != seen->next * 2;
}

static void
run(unsigned threads, unsigned items, size_t bytes)
{
	struct seen seen = {0};
	const struct pipeline_functions functions = {work, done, &seen};
	gint counts[8] = {0}, total = 0;
	gpointer contexts[8];
	struct pipeline *pipeline;

	for (unsigned i = 0; i < threads; i++)
		contexts[i] = &counts[i];
	pipeline = pipeline_new(&functions, contexts, threads);
	for (unsigned i = 1; i <= items; i++)
		pipeline_push(pipeline, GUINT_TO_POINTER(i), bytes);
	pipeline_finish(pipeline);
	g_assert_cmpuint(seen.next, ==, items);
	g_assert_cmpuint(seen.wrong, ==, 0);
	for (unsigned i = 0; i < threads; i++)
		total += counts[i];
	g_assert_cmpint(total, ==, (gint)items);
}

static void
test_order(void)
{
	run(1, ITEMS, 0);
	run(2, ITEMS, 1);
	run(8, ITEMS, 1);
}

static void
test_few(void)
{
	run(4, 0, 0);
	run(4, 1, 1);
}

/* One item alone may be larger than all that may be under way. */
static void
test_large(void)
{
	run(1, 20, 3 << 20);
	run(4, 20, 1 << 30);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/pipeline/out-in-the-order-of-in-each-once", test_order);
	g_test_add_func("/pipeline/with-less-work-than-threads", test_few);
	g_test_add_func("/pipeline/with-more-bytes-than-may-be-under-way", test_large);
	return g_test_run();
}
