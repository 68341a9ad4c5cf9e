#include "config.h"

#include "policyd/daemon/reporter.h"

#include "policyd/daemon/walk.h"

struct reporter {
	struct walk *walk;
	int64_t retry_window;
	struct report *gathering;
	struct report_result *result;
};

static void
begin(void *context, int64_t now)
{
	struct reporter *reporter = context;
	struct report_period period =
	    report_period(REPORTER_DAYS * (int64_t)86400, now, reporter->retry_window);

	report_free(reporter->gathering);
	reporter->gathering = report_new(&period);
}

static void
add_day(void *context, const struct store_bytes *key, const struct store_bytes *value,
    int64_t expires G_GNUC_UNUSED)
{
	struct reporter *reporter = context;

	report_add_day(reporter->gathering, key, value);
}

static void
add_delivery(void *context, const struct store_bytes *key G_GNUC_UNUSED,
    const struct store_bytes *value, int64_t expires G_GNUC_UNUSED)
{
	struct reporter *reporter = context;

	report_add_delivery(reporter->gathering, value);
}

static void
end(void *context, int64_t now G_GNUC_UNUSED)
{
	struct reporter *reporter = context;

	report_result_free(reporter->result);
	reporter->result = report_result(reporter->gathering);
	g_clear_pointer(&reporter->gathering, report_free);
}

static const struct walk_plan plan = {
    .parts = {{STORE_DOMAINS, add_day}, {STORE_DELIVERIES, add_delivery}},
    .n_parts = 2,
    .rest_min = 60,
    .begin = begin,
    .end = end,
};

struct reporter *
reporter_new(void)
{
	struct reporter *reporter = g_new0(struct reporter, 1);

	reporter->walk = walk_new(&plan, reporter);
	return reporter;
}

void
reporter_free(struct reporter *reporter)
{
	if (!reporter)
		return;
	walk_free(reporter->walk);
	report_free(reporter->gathering);
	report_result_free(reporter->result);
	g_free(reporter);
}

void
reporter_step(struct reporter *reporter, struct store *store, int64_t now, int64_t retry_window)
{
	reporter->retry_window = retry_window;
	walk_step(reporter->walk, store, now);
}

const struct report_result *
reporter_result(const struct reporter *reporter)
{
	return reporter->result;
}
