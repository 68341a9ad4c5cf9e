#include "config.h"

#include "policyd/stats/report.h"

#include <math.h>
#include <string.h>

#include "policyd/decide/greylist.h"

#define DAY 86400

struct report_period
report_period(int64_t since, int64_t now, int64_t retry_window)
{
	int64_t from = (now - since) / DAY * DAY;
	int64_t ripe = (now - retry_window) / DAY * DAY;

	return (struct report_period){.from = MAX(from, 0), .now = now, .ripe = MAX(ripe, from)};
}

/* -- whether it pays -- */

const char *
report_worth_name(enum report_worth worth)
{
	static const char *const names[] = {
	    [REPORT_TOO_LITTLE] = "too-little",
	    [REPORT_NO_VERDICTS] = "no-verdicts",
	    [REPORT_NO_CORRECTIONS] = "no-corrections",
	    [REPORT_NOBODY_LEAVES] = "nobody-leaves",
	    [REPORT_FILTER_DOES] = "filter-does",
	    [REPORT_PAYS] = "pays",
	};

	return names[worth];
}

double
report_missed_share(const struct report_account *account)
{
	if (!account->corrected)
		return NAN;
	return (double)(account->missed + 1) / (double)(account->spam + 2);
}

double
report_kept_out(const struct report_account *account)
{
	return (double)account->away * report_missed_share(account);
}

enum report_worth
report_worth(const struct report_account *account)
{
	if (account->firsts < REPORT_FIRSTS_MIN)
		return REPORT_TOO_LITTLE;
	if ((double)account->away < REPORT_AWAY_MIN * (double)account->firsts)
		return REPORT_NOBODY_LEAVES;
	if (account->judged == 0)
		return REPORT_NO_VERDICTS;
	if (account->corrected == 0)
		return REPORT_NO_CORRECTIONS;
	if ((double)account->ham_seconds > 3600 * REPORT_HOURS_MAX * report_kept_out(account))
		return REPORT_FILTER_DOES;
	return REPORT_PAYS;
}

/* -- delays -- */

/* How often each delay was, so that the memory is bounded by how long mail can wait: one may be
 * that of a month's mail. */
static GHashTable *
delays_new(void)
{
	return g_hash_table_new(g_direct_hash, g_direct_equal);
}

static void
delays_add(GHashTable *delays, uint32_t delay)
{
	gpointer key = GUINT_TO_POINTER(delay);
	guint n = GPOINTER_TO_UINT(g_hash_table_lookup(delays, key));

	g_hash_table_insert(delays, key, GUINT_TO_POINTER(n + 1));
}

static int
compare_delays(gconstpointer a, gconstpointer b)
{
	guint x = GPOINTER_TO_UINT(*(const gconstpointer *)a);
	guint y = GPOINTER_TO_UINT(*(const gconstpointer *)b);

	return x < y ? -1 : x > y;
}

static GPtrArray *
sorted_delays(GHashTable *delays)
{
	GPtrArray *sorted = g_ptr_array_new();
	GHashTableIter iter;
	gpointer key;

	g_hash_table_iter_init(&iter, delays);
	while (g_hash_table_iter_next(&iter, &key, NULL))
		g_ptr_array_add(sorted, key);
	g_ptr_array_sort(sorted, compare_delays);
	return sorted;
}

/* The smallest delay that the share Q of N does not exceed. */
static double
quantile(GHashTable *delays, const GPtrArray *sorted, uint64_t n, double q)
{
	uint64_t rank = MAX((uint64_t)ceil(q * (double)n), 1), seen = 0;

	for (guint i = 0; i < sorted->len; i++) {
		seen += GPOINTER_TO_UINT(g_hash_table_lookup(delays, sorted->pdata[i]));
		if (seen >= rank)
			return GPOINTER_TO_UINT(sorted->pdata[i]);
	}
	return NAN;
}

static struct report_delays
sum_up(GHashTable *delays)
{
	g_autoptr(GPtrArray) sorted = sorted_delays(delays);
	struct report_delays result = {.n = 0};

	for (guint i = 0; i < sorted->len; i++) {
		guint n = GPOINTER_TO_UINT(g_hash_table_lookup(delays, sorted->pdata[i]));

		result.n += n;
		result.seconds += (uint64_t)n * GPOINTER_TO_UINT(sorted->pdata[i]);
	}
	result.median = quantile(delays, sorted, result.n, 0.5);
	result.p95 = quantile(delays, sorted, result.n, 0.95);
	result.worst = quantile(delays, sorted, result.n, 1);
	return result;
}

/* -- gathering -- */

struct gathered_row {
	struct report_row row;
	GHashTable *ham; /* delays */
};

struct gathered_pool {
	uint64_t spam;
	GHashTable *ham; /* delays; NULL until there is one */
	GHashTable *addresses;
};

struct report {
	struct report_period period;
	int64_t first_day, first_delivery;
	struct gathered_row *all;
	GHashTable *rows;  /* struct gathered_row by its domain */
	GHashTable *pools; /* struct gathered_pool by domain */
	GHashTable *ham[DOMAINS_DELAYS];
	struct report_what_if what_if[DOMAINS_DELAYS];
	struct report_account account;
};

static struct gathered_row *
row_new(const char *domain)
{
	struct gathered_row *row = g_new0(struct gathered_row, 1);

	row->row.domain = g_strdup(domain);
	row->ham = delays_new();
	return row;
}

static void
row_free(gpointer data)
{
	struct gathered_row *row = data;

	g_free(row->row.domain);
	g_hash_table_unref(row->ham);
	g_free(row);
}

static void
pool_free(gpointer data)
{
	struct gathered_pool *pool = data;

	if (pool->ham) {
		g_hash_table_unref(pool->ham);
		g_hash_table_unref(pool->addresses);
	}
	g_free(pool);
}

struct report *
report_new(const struct report_period *period)
{
	struct report *report = g_new0(struct report, 1);

	report->period = *period;
	report->all = row_new("");
	report->rows = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, row_free);
	report->pools = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, pool_free);
	for (int i = 0; i < DOMAINS_DELAYS; i++) {
		report->ham[i] = delays_new();
		report->what_if[i].delay = domains_delays[i];
	}
	return report;
}

void
report_free(struct report *report)
{
	if (!report)
		return;
	row_free(report->all);
	g_hash_table_unref(report->rows);
	g_hash_table_unref(report->pools);
	for (int i = 0; i < DOMAINS_DELAYS; i++)
		g_hash_table_unref(report->ham[i]);
	g_free(report);
}

static struct gathered_row *
row_of(struct report *report, const char *domain)
{
	struct gathered_row *row;

	if (!g_hash_table_contains(report->rows, domain) &&
	    g_hash_table_size(report->rows) >= REPORT_DOMAINS_MAX)
		domain = "";
	row = g_hash_table_lookup(report->rows, domain);
	if (!row) {
		row = row_new(domain);
		g_hash_table_insert(report->rows, row->row.domain, row);
	}
	return row;
}

static void
note_first(int64_t *first, int64_t time)
{
	if (*first == 0 || time < *first)
		*first = time;
}

/* -- first attempts -- */

static uint64_t
cell(const struct store_bytes *value, uint32_t index)
{
	return (uint64_t)MAX(store_cell_get(value, index), 0);
}

/* A retry whose first attempt was not counted (it was imported) is left out. */
static void
add_day(struct report_row *row, const struct store_bytes *value, bool ripe)
{
	uint64_t firsts = cell(value, DOMAINS_FIRSTS);
	uint64_t returned = MIN(cell(value, DOMAINS_RETURNED), firsts);

	if (!ripe) {
		row->open += firsts - returned;
		return;
	}
	row->firsts += firsts;
	row->returned += returned;
	for (uint32_t i = 0; i < DOMAINS_DELAYS; i++) {
		uint64_t reached = MIN(cell(value, DOMAINS_REACHED + i), firsts);

		row->reached[i] += reached;
		row->before[i] += MIN(cell(value, DOMAINS_BEFORE + i), firsts - reached);
	}
}

void
report_add_day(
    struct report *report, const struct store_bytes *key, const struct store_bytes *value)
{
	char domain[DOMAINS_NAME_SIZE];
	int64_t day;
	bool ripe;

	if (!domains_key_decode(key, &day, domain) || value->length % 4 ||
	    day * DAY < report->period.from || day * DAY > report->period.now)
		return;
	ripe = day * DAY < report->period.ripe;
	note_first(&report->first_day, day * DAY);
	add_day(&report->all->row, value, ripe);
	add_day(&row_of(report, domain)->row, value, ripe);
}

/* -- deliveries -- */

/* Takes the wait of what may be a new message out of the record; false if there is none. */
static bool
clear_unproven(struct delivery_greylist *greylist)
{
	uint32_t before = 0;

	for (unsigned i = 0; i < greylist->n_offsets; i++)
		if (greylist->offsets[i] < greylist->delayed)
			before = MAX(before, greylist->offsets[i]);
	if (greylist_is_retry(before, greylist->delayed))
		return false;
	greylist->delayed = 0;
	return true;
}

static void
add_to_row(struct gathered_row *row, const struct delivery_record *d, bool may_be_new)
{
	uint32_t delayed = d->greylist.delayed;

	row->row.judged[d->verdict]++;
	row->row.may_be_new[d->verdict] += may_be_new;
	if (!delayed)
		return;
	row->row.delayed[d->verdict]++;
	if (d->verdict == DELIVERY_HAM)
		delays_add(row->ham, delayed);
}

static void
add_to_rows(struct report *report, const struct delivery_record *d, bool may_be_new)
{
	add_to_row(report->all, d, may_be_new);
	for (unsigned i = 0; i < d->n_recipients; i++) {
		g_autofree char *domain =
		    g_strndup(d->recipients[i].domain.data, d->recipients[i].domain.length);

		add_to_row(row_of(report, domain), d, may_be_new);
	}
}

/* When it would have come in at the delay; false if it came no more after it had passed. */
static bool
at_delay(const struct delivery_greylist *greylist, int64_t delay, uint32_t *ret_delayed)
{
	uint32_t found = greylist->delayed >= delay ? greylist->delayed : 0;

	for (unsigned i = 0; i < greylist->n_offsets; i++) {
		uint32_t offset = greylist->offsets[i];

		if (offset >= delay && (!found || offset < found))
			found = offset;
	}
	*ret_delayed = found ? found : (uint32_t)delay;
	return found != 0;
}

static void
add_what_if(struct report *report, const struct delivery_record *d)
{
	for (int i = 0; i < DOMAINS_DELAYS; i++) {
		struct report_what_if *what_if = &report->what_if[i];
		uint32_t delayed;
		bool known = at_delay(&d->greylist, what_if->delay, &delayed);

		if (d->verdict == DELIVERY_SPAM) {
			what_if->spam += known;
			what_if->spam_max++;
		} else if (d->verdict == DELIVERY_HAM) {
			delays_add(report->ham[i], delayed);
			what_if->ham_unknown += !known;
		}
	}
}

static struct gathered_pool *
pool_of(struct report *report, const struct delivery_record *d)
{
	const struct store_bytes *name = d->name.length ? &d->name : d->n_auth ? d->auth : NULL;
	g_autofree char *domain = name ? g_strndup(name->data, name->length) : NULL;
	struct gathered_pool *pool;

	if (!domain)
		return NULL;
	pool = g_hash_table_lookup(report->pools, domain);
	if (!pool && g_hash_table_size(report->pools) < REPORT_POOLS_MAX) {
		pool = g_new0(struct gathered_pool, 1);
		g_hash_table_insert(report->pools, g_steal_pointer(&domain), pool);
	}
	return pool;
}

static void
add_to_pool(struct report *report, const struct delivery_record *d)
{
	struct gathered_pool *pool = pool_of(report, d);
	struct prefix network = prefix_of(&d->client, 32, 64);
	char text[PREFIX_TEXT_SIZE];

	if (!pool)
		return;
	pool->spam += d->verdict == DELIVERY_SPAM;
	if (d->verdict != DELIVERY_HAM || !d->greylist.delayed)
		return;
	if (!pool->ham) {
		pool->ham = delays_new();
		pool->addresses = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	}
	delays_add(pool->ham, d->greylist.delayed);
	if (d->client.family != ADDRESS_NONE &&
	    g_hash_table_size(pool->addresses) < REPORT_ADDRESSES_MAX)
		g_hash_table_add(pool->addresses, g_strdup(prefix_format(&network, text)));
}

static void
add_to_account(struct report *report, const struct delivery_record *d)
{
	struct report_account *account = &report->account;

	account->judged++;
	account->corrected += d->corrected;
	account->spam += d->verdict == DELIVERY_SPAM;
	account->missed += d->verdict == DELIVERY_SPAM && d->judged != DELIVERY_SPAM;
}

void
report_add_delivery(struct report *report, const struct store_bytes *value)
{
	struct delivery_record d;
	bool may_be_new;

	if (!delivery_decode(value, &d) || d.time < report->period.from ||
	    d.time > report->period.now)
		return;
	note_first(&report->first_delivery, d.time);
	may_be_new = clear_unproven(&d.greylist);
	add_to_rows(report, &d, may_be_new);
	add_to_pool(report, &d);
	add_to_account(report, &d);
	if (d.greylist.delayed)
		add_what_if(report, &d);
}

/* -- the result -- */

static uint64_t
row_size(const struct report_row *row)
{
	uint64_t size = row->firsts + row->open;

	for (int i = 0; i < DELIVERY_VERDICTS; i++)
		size += row->judged[i];
	return size;
}

/* The largest first; the others, which have no name, last. */
static int
compare_rows(gconstpointer a, gconstpointer b)
{
	const struct report_row *x = *(const struct report_row *const *)a;
	const struct report_row *y = *(const struct report_row *const *)b;
	uint64_t x_size = row_size(x), y_size = row_size(y);

	if (!*x->domain != !*y->domain)
		return *x->domain ? -1 : 1;
	if (x_size != y_size)
		return x_size > y_size ? -1 : 1;
	return strcmp(x->domain, y->domain);
}

static int
compare_pools(gconstpointer a, gconstpointer b)
{
	const struct report_pool *x = *(const struct report_pool *const *)a;
	const struct report_pool *y = *(const struct report_pool *const *)b;

	if (x->delays.seconds != y->delays.seconds)
		return x->delays.seconds > y->delays.seconds ? -1 : 1;
	return strcmp(x->domain, y->domain);
}

static void
result_row_free(gpointer data)
{
	struct report_row *row = data;

	g_free(row->domain);
	g_free(row);
}

static void
result_pool_free(gpointer data)
{
	struct report_pool *pool = data;

	g_free(pool->domain);
	g_free(pool);
}

static struct report_row
row_result(const struct gathered_row *gathered)
{
	struct report_row row = gathered->row;

	row.domain = g_strdup(row.domain);
	row.ham = sum_up(gathered->ham);
	return row;
}

static void
take_rows(struct report *report, struct report_result *result)
{
	GHashTableIter iter;
	gpointer value;

	result->all = row_result(report->all);
	result->rows = g_ptr_array_new_with_free_func(result_row_free);
	g_hash_table_iter_init(&iter, report->rows);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		struct report_row row = row_result(value);

		g_ptr_array_add(result->rows, g_memdup2(&row, sizeof row));
	}
	g_ptr_array_sort(result->rows, compare_rows);
}

static void
take_pools(struct report *report, struct report_result *result)
{
	GHashTableIter iter;
	gpointer domain, value;

	result->pools = g_ptr_array_new_with_free_func(result_pool_free);
	g_hash_table_iter_init(&iter, report->pools);
	while (g_hash_table_iter_next(&iter, &domain, &value)) {
		const struct gathered_pool *gathered = value;
		struct report_pool *pool;

		if (gathered->spam || !gathered->ham ||
		    g_hash_table_size(gathered->addresses) < REPORT_POOL_ADDRESSES)
			continue;
		pool = g_new0(struct report_pool, 1);
		pool->domain = g_strdup(domain);
		pool->addresses = g_hash_table_size(gathered->addresses);
		pool->delays = sum_up(gathered->ham);
		if (pool->delays.n >= REPORT_POOL_HAM && pool->delays.median > REPORT_POOL_SECONDS)
			g_ptr_array_add(result->pools, pool);
		else
			result_pool_free(pool);
	}
	g_ptr_array_sort(result->pools, compare_pools);
}

static void
take_what_if(struct report *report, struct report_result *result)
{
	const struct report_row *all = &report->all->row;

	for (int i = 0; i < DOMAINS_DELAYS; i++) {
		struct report_what_if *what_if = &result->what_if[i];

		*what_if = report->what_if[i];
		what_if->away_max = all->firsts - all->reached[i];
		what_if->away = what_if->away_max - all->before[i];
		what_if->ham = sum_up(report->ham[i]);
	}
}

struct report_result *
report_result(struct report *report)
{
	struct report_result *result = g_new0(struct report_result, 1);

	result->period = report->period;
	result->first_day = report->first_day;
	result->first_delivery = report->first_delivery;
	take_rows(report, result);
	take_pools(report, result);
	take_what_if(report, result);
	result->account = report->account;
	result->account.firsts = result->all.firsts;
	result->account.away = result->all.firsts - result->all.returned;
	result->account.ham_seconds = result->all.ham.seconds;
	result->worth = report_worth(&result->account);
	return result;
}

bool
report_is_empty(const struct report_result *result)
{
	return !result->first_day && !result->first_delivery;
}

void
report_result_free(struct report_result *result)
{
	if (!result)
		return;
	g_free(result->all.domain);
	g_ptr_array_unref(result->rows);
	g_ptr_array_unref(result->pools);
	g_free(result);
}
