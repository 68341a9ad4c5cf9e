#include "config.h"

#include "classifier/bank/bank.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "classifier/bank/state.h"
#include "classifier/bank/registry.h"
#include "db/open/open.h"
#include "db/layout.h"

struct model_options
bank_options_of(const struct settings *s)
{
	struct model_options options = model_options_default();

	options.fisher.robs = settings_decimal(s, SETTING_CLASSIFIER_ROBS);
	options.fisher.robx = settings_decimal(s, SETTING_CLASSIFIER_ROBX);
	options.fisher.min_dev = settings_decimal(s, SETTING_CLASSIFIER_MIN_DEV);
	options.mixture.spam_cutoff = settings_decimal(s, SETTING_CLASSIFIER_SPAM_CUTOFF);
	options.mixture.ham_cutoff = settings_decimal(s, SETTING_CLASSIFIER_HAM_CUTOFF);
	options.memory_bytes = (size_t)settings_number(s, SETTING_CLASSIFIER_MEMORY);
	return options;
}

static bool check_layout(struct bank *bank, GError **error);

/* Milliseconds. Mail does not wait; people do. */
static unsigned
patience(const struct settings *settings, unsigned access)
{
	return access == BANK_SERVE || access & BANK_AT_ONCE
		   ? 0
		   : (unsigned)settings_number(settings, SETTING_STORE_PATIENCE) * 1000;
}

struct bank *
bank_open(const struct settings *settings, const char *uri, unsigned how, GError **error)
{
	enum bank_access access = how & ~(unsigned)BANK_AT_ONCE;
	g_autofree char *full = strchr(uri, ':') ? g_strdup(uri) : g_strconcat("lmdb:", uri, NULL);
	struct store_options options = {
	    .uri = full,
	    .password_file = settings_text(settings, SETTING_STORE_PASSWORD_FILE),
	    .tls = {settings_text(settings, SETTING_STORE_TLS_CA),
		settings_text(settings, SETTING_STORE_TLS_CERT),
		settings_text(settings, SETTING_STORE_TLS_KEY)},
	    .create = access != BANK_READ,
	    .read_only = access == BANK_READ,
	    .token_only = access != BANK_SERVE,
	    .map_size = (uint64_t)settings_number(settings, SETTING_STORE_MAP_SIZE),
	    .patience = patience(settings, how),
	};
	struct store *store;
	struct bank *bank;

	store = store_open(&options, error);
	if (!store)
		return NULL;
	bank = g_new0(struct bank, 1);
	bank->store = store;
	bank->settings = settings;
	bank->uri = g_steal_pointer(&full);
	bank->options = bank_options_of(settings);
	bank->lock = -1;
	bank->access = access;
	bank->patience = options.patience;
	if (store_is_shared(bank->uri))
		bank->shared = bank_shared_new();
	else
		bank->embedded = bank_embedded_new();
	if (access == BANK_LEARN && g_str_has_prefix(bank->uri, "lmdb:")) {
		bank->lock_path = g_build_filename(bank->uri + strlen("lmdb:"), "train.lock", NULL);
		bank->lock = open(bank->lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	}
	if (!check_layout(bank, error)) {
		bank_close(bank);
		return NULL;
	}
	return bank;
}

void
bank_close(struct bank *bank)
{
	if (!bank)
		return;
	store_close(&bank->store);
	bank_shared_free(bank->shared);
	bank_embedded_free(bank->embedded);
	if (bank->lock >= 0)
		close(bank->lock);
	g_free(bank->lock_path);
	g_free(bank->uri);
	g_free(bank);
}

struct store *
bank_open_again(const struct bank *bank)
{
	struct store_options options = {
	    .uri = bank->uri,
	    .password_file = settings_text(bank->settings, SETTING_STORE_PASSWORD_FILE),
	    .tls = {settings_text(bank->settings, SETTING_STORE_TLS_CA),
		settings_text(bank->settings, SETTING_STORE_TLS_CERT),
		settings_text(bank->settings, SETTING_STORE_TLS_KEY)},
	    .read_only = true,
	    .token_only = true,
	    .patience = bank->patience,
	};

	return store_open(&options, NULL);
}

bool
bank_is_shared(const struct bank *bank)
{
	return bank->shared != NULL;
}

struct store *
bank_store(const struct bank *bank)
{
	return bank->store;
}

/* -- the lock -- */

/* COMMAND waits (F_SETLKW) or does not (F_SETLK). */
static bool
set_lock(struct bank *bank, short type, int command)
{
	struct flock lock = {.l_type = type, .l_whence = SEEK_SET};
	int code;

	if (!bank->lock_path)
		return true;
	do
		code = fcntl(bank->lock, command, &lock);
	while (code != 0 && errno == EINTR);
	return code == 0;
}

bool
bank_lock(struct bank *bank, GError **error)
{
	if (set_lock(bank, F_WRLCK, F_SETLKW))
		return true;
	g_set_error(error, BANK_ERROR, BANK_FAILED, "%s: %s", bank->lock_path, g_strerror(errno));
	return false;
}

bool
bank_try_lock(struct bank *bank)
{
	return set_lock(bank, F_WRLCK, F_SETLK);
}

void
bank_unlock(struct bank *bank)
{
	set_lock(bank, F_UNLCK, F_SETLK);
}

/* -- the source -- */

void
bank_page_key(unsigned table, uint32_t page, uint8_t ret_key[BANK_PAGE_KEY])
{
	ret_key[0] = (uint8_t)table;
	ret_key[1] = (uint8_t)(page >> 8);
	ret_key[2] = (uint8_t)page;
}

void
bank_memory_key(bool spam, const uint8_t *digest, uint8_t ret_key[BANK_MEMORY_KEY])
{
	ret_key[0] = spam ? 2 : 1;
	memcpy(ret_key + 1, digest, CANONICAL_DIGEST_SIZE);
}

/* Values that are read into places of the caller's; what is not there leaves them as they are. */
struct take {
	void *into;
	size_t room; /* cells */
	bool failed, found;
};

/* Milliseconds; an embedded store has no deadline. */
static unsigned
limit(const struct bank *bank)
{
	return bank->shared ? BANK_SHARED_LIMIT : 0;
}

/* Models of several threads read one after the other from a server, and wait for the answer. */
static void
read_begin(struct bank *bank)
{
	if (bank->shared)
		g_mutex_lock(&bank->shared->lock);
}

static void
read_end(struct bank *bank)
{
	if (!bank->shared)
		return;
	store_wait(bank->store);
	g_mutex_unlock(&bank->shared->lock);
}

static void
read_many(struct bank *bank, enum store_space space, const struct store_bytes *keys, size_t n,
    store_value_fn value, void *context)
{
	read_begin(bank);
	store_get_many(bank->store, space, keys, n, limit(bank), value, context);
	read_end(bank);
}

static void
read_one(struct bank *bank, enum store_space space, struct store_bytes key, store_value_fn value,
    void *context)
{
	read_many(bank, space, &key, 1, value, context);
}

static bool
is_failure(enum store_result result)
{
	return result != STORE_OK && result != STORE_NOT_FOUND;
}

static void
take_head(void *context, size_t index G_GNUC_UNUSED, enum store_result result,
    const struct store_bytes *value)
{
	struct take *take = context;
	int32_t *cells = take->into;

	take->failed |= is_failure(result);
	if (value)
		store_cells_get(value, cells, take->room);
}

static bool
source_head(void *context, int32_t ret_cells[MODEL_HEAD_CELLS])
{
	struct bank *bank = context;
	struct take take = {.into = ret_cells, .room = MODEL_HEAD_CELLS};

	if (!bank_embedded_shows(bank, NULL))
		return false;
	read_one(bank, STORE_SLOTS, (struct store_bytes){BANK_HEAD_KEY, strlen(BANK_HEAD_KEY)},
	    take_head, &take);
	return !take.failed;
}

/* A head that cannot be read is told by who needs it. */
static bool
check_layout(struct bank *bank, GError **error)
{
	g_autofree char *where = g_strconcat("what was learned in ", bank->uri, NULL);
	int32_t head[MODEL_HEAD_CELLS] = {0};

	return !source_head(bank, head) ||
	       store_layout_check(bank->shared ? STORE_LAYOUT_SERVER : STORE_LAYOUT_TOKEN, where,
		   bank->uri, (guint64)model_layout(head), MODEL_LAYOUT, error);
}

static void
take_counts(void *context, size_t index, enum store_result result, const struct store_bytes *value)
{
	struct take *take = context;
	struct fisher_counts *counts = take->into;

	take->failed |= is_failure(result);
	counts[index] = (struct fisher_counts){0};
	if (value)
		counts[index] = (struct fisher_counts){
		    .spam = (uint32_t)MAX(store_cell_get(value, BANK_TOKEN_SPAM), 0),
		    .ham = (uint32_t)MAX(store_cell_get(value, BANK_TOKEN_HAM), 0),
		};
}

static bool
source_counts(
    void *context, const struct model_token *tokens, size_t count, struct fisher_counts *ret_counts)
{
	struct bank *bank = context;
	g_autofree struct store_bytes *keys = g_new(struct store_bytes, count);
	struct take take = {.into = ret_counts};

	if (!bank_embedded_shows(bank, NULL))
		return false;
	for (size_t i = 0; i < count; i++)
		keys[i] = (struct store_bytes){tokens[i].text, tokens[i].length};
	read_many(bank, STORE_TOKENS, keys, count, take_counts, &take);
	return !take.failed;
}

/* The slots of one page among those that are asked for. */
struct run {
	unsigned table;
	const uint32_t *slots;
	size_t count;
	struct voice_sums *sums;
};

struct sums {
	GArray *runs; /* struct run */
	bool failed;
};

static void
take_sums(void *context, size_t index, enum store_result result, const struct store_bytes *value)
{
	struct sums *sums = context;
	const struct run *run = &g_array_index(sums->runs, struct run, index);

	sums->failed |= is_failure(result);
	for (size_t i = 0; i < run->count; i++) {
		uint32_t cell = 2 * (run->slots[i] - run->slots[0]);

		run->sums[i] = (struct voice_sums){0};
		if (value)
			run->sums[i] = (struct voice_sums){
			    store_cell_get(value, cell), store_cell_get(value, cell + 1)};
	}
}

/* Slots ascend, so a page's follow one another: each page is looked up once. */
static void
add_runs(GArray *runs, unsigned table, const uint32_t *slots, size_t count, struct voice_sums *sums)
{
	for (size_t i = 0, n; i < count; i += n) {
		uint32_t page = slots[i] / MODEL_PAGE_SLOTS;

		for (n = 1; i + n < count && slots[i + n] / MODEL_PAGE_SLOTS == page; n++)
			;
		struct run run = {table, slots + i, n, sums + i};

		g_array_append_val(runs, run);
	}
}

static bool
read_runs(struct bank *bank, GArray *runs)
{
	g_autofree struct store_range *ranges = g_new(struct store_range, runs->len);
	g_autofree uint8_t *bytes = g_malloc((gsize)runs->len * BANK_PAGE_KEY);
	struct sums sums = {.runs = runs};

	for (guint i = 0; i < runs->len; i++) {
		const struct run *run = &g_array_index(runs, struct run, i);

		bank_page_key(
		    run->table, run->slots[0] / MODEL_PAGE_SLOTS, bytes + i * BANK_PAGE_KEY);
		ranges[i] = (struct store_range){
		    .key = {bytes + i * BANK_PAGE_KEY, BANK_PAGE_KEY},
		    .first = 2 * (run->slots[0] % MODEL_PAGE_SLOTS),
		    .count = 2 * (run->slots[run->count - 1] - run->slots[0] + 1),
		};
	}
	read_begin(bank);
	store_get_cells(bank->store, STORE_SLOTS, ranges, runs->len, limit(bank), take_sums, &sums);
	read_end(bank);
	return !sums.failed;
}

static bool
is_ahead(const struct bank_ahead *ahead, const uint32_t *slots, size_t count)
{
	return ahead->slots && ahead->count == count &&
	       (!count || memcmp(ahead->slots, slots, count * sizeof *slots) == 0);
}

static bool
source_sums(
    void *context, unsigned table, const uint32_t *slots, size_t count, struct voice_sums *ret_sums)
{
	struct bank *bank = context;
	g_autoptr(GArray) runs = NULL;

	if (bank->shared && is_ahead(&bank->shared->ahead[table], slots, count)) {
		if (count)
			memcpy(ret_sums, bank->shared->ahead[table].sums, count * sizeof *ret_sums);
		return true;
	}
	if (!bank_embedded_shows(bank, NULL))
		return false;
	runs = g_array_new(FALSE, FALSE, sizeof(struct run));
	add_runs(runs, table, slots, count, ret_sums);
	return read_runs(bank, runs);
}

static const struct slots *
slots_of(const struct features *features, unsigned table)
{
	return &features->voices[table == MODEL_COUNTS ? VOICE_WORDS : table];
}

/* All pages that a message needs in one round trip. Who has them already does not ask again. */
static void
source_expect(void *context, const struct features *features)
{
	struct bank *bank = context;
	struct bank_ahead *ahead = bank->shared->ahead;
	g_autoptr(GArray) runs = g_array_new(FALSE, FALSE, sizeof(struct run));
	bool there = true;

	for (unsigned t = 0; t < MODEL_TABLES; t++)
		there &=
		    is_ahead(&ahead[t], slots_of(features, t)->list, slots_of(features, t)->count);
	if (there)
		return;
	bank_shared_drop_ahead(bank->shared);
	for (unsigned t = 0; t < MODEL_TABLES; t++) {
		const struct slots *slots = slots_of(features, t);

		ahead[t].count = slots->count;
		ahead[t].slots = g_malloc_n(slots->count + 1, sizeof *slots->list);
		ahead[t].sums = g_new0(struct voice_sums, slots->count + 1);
		if (slots->count)
			memcpy(ahead[t].slots, slots->list, slots->count * sizeof *slots->list);
		add_runs(runs, t, ahead[t].slots, slots->count, ahead[t].sums);
	}
	/* Who asks for them then hears what is wrong. */
	if (!read_runs(bank, runs))
		bank_shared_drop_ahead(bank->shared);
}

static void
take_entry(void *context, size_t index G_GNUC_UNUSED, enum store_result result,
    const struct store_bytes *value)
{
	struct take *take = context;

	take->failed |= is_failure(result);
	if (!value)
		return;
	take->found = registry_decode(value, take->into);
	take->failed |= !take->found;
}

static bool
source_entry(void *context, const uint8_t digest[CANONICAL_DIGEST_SIZE], bool *ret_found,
    struct model_entry *ret_entry)
{
	struct bank *bank = context;
	struct take take = {.into = ret_entry};

	if (!bank_embedded_shows(bank, digest))
		return false;
	if (bank->shared && bank->shared->rebuilding &&
	    !bank_shared_believed(bank->shared, digest, ret_found, ret_entry))
		bank_shared_expect_from(bank, digest);
	if (bank->shared && bank_shared_believed(bank->shared, digest, ret_found, ret_entry))
		return true;
	read_one(bank, STORE_MESSAGES, (struct store_bytes){digest, CANONICAL_DIGEST_SIZE},
	    take_entry, &take);
	*ret_found = take.found;
	if (bank->shared && !take.failed)
		bank_shared_believe(bank->shared, digest, take.found ? ret_entry : NULL);
	return !take.failed;
}

/* The first record past a cursor. */
struct next {
	uint8_t key[BANK_MEMORY_KEY];
	GByteArray *slots;
	bool found;
	enum store_result result;
};

static bool
take_next(void *context, const struct store_bytes *key, const struct store_bytes *value,
    int64_t expires G_GNUC_UNUSED)
{
	struct next *next = context;

	if (key->length != BANK_MEMORY_KEY)
		return false;
	memcpy(next->key, key->data, BANK_MEMORY_KEY);
	if (next->slots)
		g_byte_array_append(next->slots, value->data, (guint)value->length);
	next->found = true;
	return false;
}

static void
scanned(void *context, enum store_result result, void *job G_GNUC_UNUSED)
{
	((struct next *)context)->result = result;
}

/* A cursor stands behind its key: one below the point finds the point itself. */
static void
cursor_before(struct store_cursor *cursor, bool spam, const uint8_t *point)
{
	*cursor = (struct store_cursor){.length = BANK_MEMORY_KEY};
	bank_memory_key(spam, point, cursor->bytes);
	for (int i = BANK_MEMORY_KEY - 1; i >= 0 && cursor->bytes[i]-- == 0; i--)
		;
}

static bool
source_remembered(void *context, bool spam, const uint8_t point[CANONICAL_DIGEST_SIZE],
    bool *ret_found, uint8_t ret_digest[CANONICAL_DIGEST_SIZE], GByteArray *ret_slots)
{
	struct bank *bank = context;
	struct store_cursor cursor;
	struct next next = {.slots = ret_slots, .result = STORE_UNAVAILABLE};
	struct store_call call = {.timeout = limit(bank), .done = scanned, .context = &next};

	if (bank->shared && bank->shared->memory_read)
		return bank_shared_next(bank, spam, point, ret_found, ret_digest, ret_slots);
	if (!bank_embedded_shows(bank, NULL))
		return false;
	cursor_before(&cursor, spam, point);
	read_begin(bank);
	store_scan(bank->store, STORE_MEMORY, &cursor, 1, take_next, &call);
	read_end(bank);
	if (next.result != STORE_OK)
		return false;
	next.found &= next.key[0] == (spam ? 2 : 1);
	*ret_found = next.found;
	if (*ret_found)
		memcpy(ret_digest, next.key + 1, CANONICAL_DIGEST_SIZE);
	else if (ret_slots)
		g_byte_array_set_size(ret_slots, 0);
	return true;
}

struct model *
bank_model(struct bank *bank)
{
	const struct model_source source = {
	    .context = bank,
	    .head = source_head,
	    .counts = source_counts,
	    .sums = source_sums,
	    .expect = bank->shared ? source_expect : NULL,
	    .entry = source_entry,
	    .remembered = source_remembered,
	};

	if (bank->shared && bank->access == BANK_LEARN)
		bank_shared_begin(bank);
	return model_new(&bank->options, &source);
}

/* -- preloading -- */

struct preload {
	struct model *model;
	enum store_result result;
};

static void
preload_step_done(void *context, enum store_result result, void *job G_GNUC_UNUSED)
{
	((struct preload *)context)->result = result;
}

static bool
preload_page(void *context, const struct store_bytes *key, const struct store_bytes *value,
    int64_t expires G_GNUC_UNUSED)
{
	struct model *model = ((struct preload *)context)->model;
	const uint8_t *k = key->data;
	int32_t cells[MODEL_PAGE_CELLS];

	if (key->length != BANK_PAGE_KEY || k[0] >= MODEL_TABLES)
		return true;
	store_cells_get(value, cells, MODEL_PAGE_CELLS);
	model_preload(model, k[0], (uint32_t)k[1] << 8 | k[2], cells, MODEL_PAGE_CELLS);
	return true;
}

bool
bank_preload(struct bank *bank, struct model *model)
{
	struct store_cursor cursor = {0};
	struct preload preload = {.model = model, .result = STORE_OK};
	struct store_call call = {
	    .timeout = limit(bank), .done = preload_step_done, .context = &preload};

	if (!bank_embedded_shows(bank, NULL))
		return false;
	read_begin(bank);
	while (!cursor.end && preload.result == STORE_OK) {
		store_scan(bank->store, STORE_SLOTS, &cursor, 1000, preload_page, &call);
		store_wait(bank->store);
	}
	read_end(bank);
	if (preload.result != STORE_OK)
		return false;
	model_preloaded(model, bank->access == BANK_LEARN && !bank->shared);
	return !bank->shared || bank->access != BANK_LEARN || bank_shared_read_memory(bank);
}

bool
bank_token(struct bank *bank, const char *token, size_t length, struct fisher_counts *ret_counts,
    uint32_t *ret_day)
{
	struct take take = {.room = BANK_TOKEN_CELLS};
	int32_t cells[BANK_TOKEN_CELLS] = {0};

	take.into = cells;
	read_one(bank, STORE_TOKENS, (struct store_bytes){token, length}, take_head, &take);
	*ret_counts = (struct fisher_counts){
	    .spam = (uint32_t)MAX(cells[BANK_TOKEN_SPAM], 0),
	    .ham = (uint32_t)MAX(cells[BANK_TOKEN_HAM], 0),
	};
	*ret_day = (uint32_t)MAX(cells[BANK_TOKEN_DAY], 0);
	return !take.failed;
}
