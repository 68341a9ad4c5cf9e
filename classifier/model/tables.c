#include "config.h"
#include <string.h>
#include <sys/mman.h>
#include "classifier/model/state.h"

#define BASE_SIZE (NGRAMS_SLOTS * sizeof(struct voice_sums))
#define HUGE_PAGE ((size_t)2 << 20)

/* A message's slots lie all over a table, so large pages save a tenth of the time. Mapped, so that
 * what a voice does not use of its table takes no memory. */
static struct voice_sums *
base_new(void)
{
	uint8_t *map = mmap(NULL, BASE_SIZE + HUGE_PAGE, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (map == MAP_FAILED)
		g_error("no memory for %zu bytes", BASE_SIZE);
	size_t before = -(uintptr_t)map % HUGE_PAGE;
	if (before > 0)
		munmap(map, before);
	munmap(map + before + BASE_SIZE, HUGE_PAGE - before);
#ifdef MADV_HUGEPAGE
	madvise(map + before, BASE_SIZE, MADV_HUGEPAGE);
#endif
	return (struct voice_sums *)(void *)(map + before);
}

static void
base_free(struct voice_sums *base)
{
	if (base != NULL)
		munmap(base, BASE_SIZE);
}

void
model_tables_clear(struct model *model)
{
	for (unsigned i = 0; i < MODEL_TABLES; i++) {
		base_free(model->tables[i].base);
		g_free(model->tables[i].delta);
		g_free(model->tables[i].sums);
	}
}

void
model_preload(
    struct model *model, unsigned table, uint32_t page, const int32_t *cells, size_t count)
{
	if (table >= MODEL_TABLES || page >= MODEL_PAGES)
		return;
	struct model_table *of = &model->tables[table];
	size_t first = (size_t)page * MODEL_PAGE_SLOTS;
	size_t room = 2 * MIN(NGRAMS_SLOTS - first, MODEL_PAGE_SLOTS);
	if (of->base == NULL)
		of->base = base_new();
	for (size_t i = 0; i < MIN(count, room); i++) {
		struct voice_sums *sums = &of->base[first + i / 2];
		*(i % 2 == 0 ? &sums->z : &sums->n) = cells[i];
	}
}

void
model_preloaded(struct model *model, bool alone)
{
	for (unsigned i = 0; i < MODEL_TABLES; i++)
		if (model->tables[i].base == NULL)
			model->tables[i].base = base_new();
	/* Whole pages are written then, so one table is enough: half the memory, and half the time
	 * spent waiting for it. */
	for (unsigned i = 0; i < MODEL_TABLES; i++)
		model->tables[i].alone = alone && model->tables[i].delta == NULL;
}

/* What a damaged store has must not lead to undefined behaviour. */
static void
wrapping_add(int32_t *sum, int32_t number)
{
	*sum = (int32_t)((uint32_t)*sum + (uint32_t)number);
}

void
model_expect(const struct model *model, const struct features *features)
{
	if (model->has_source && model->source.expect != NULL && model->tables[0].base == NULL)
		model->source.expect(model->source.context, features);
}

static bool
gather_base(const struct model *model, unsigned table, const struct slots *slots)
{
	const struct voice_sums *base = model->tables[table].base;
	struct voice_sums *sums = model->tables[table].sums;
	if (base != NULL)
		voice_gather(base, slots->list, slots->count, sums);
	else if (model->has_source)
		return model->source.sums(
		    model->source.context, table, slots->list, slots->count, sums);
	else
		memset(sums, 0, slots->count * sizeof(*sums));
	return true;
}

static void
gather_delta(struct model_table *of, const struct slots *slots)
{
	for (size_t i = 0; i < slots->count; i++) {
		const struct voice_sums *delta = &of->delta[slots->list[i]];
		struct voice_sums *sums = &of->sums[i];
		wrapping_add(&sums->z, delta->z);
		wrapping_add(&sums->n, delta->n);
	}
}

struct voice_sums *
model_gather(struct model *model, unsigned table, const struct slots *slots)
{
	struct model_table *of = &model->tables[table];
	if (slots->count > of->sums_size || of->sums == NULL) {
		of->sums_size = MAX(slots->count, 4096);
		of->sums = g_renew(struct voice_sums, of->sums, of->sums_size);
	}
	if (!gather_base(model, table, slots))
		return NULL;
	if (of->any_dirty && of->delta != NULL)
		gather_delta(of, slots);
	return of->sums;
}

void
model_add(
    struct model *model, unsigned table, const struct slots *slots, const struct voice_step *step)
{
	struct model_table *of = &model->tables[table];
	if (!of->alone && of->delta == NULL)
		of->delta = g_new0(struct voice_sums, NGRAMS_SLOTS);
	voice_add(of->alone ? of->base : of->delta, slots->list, slots->count, step);
	for (size_t i = 0; i < slots->count; i++) {
		uint32_t page = slots->list[i] / MODEL_PAGE_SLOTS;
		of->dirty[page / 64] |= UINT64_C(1) << (page % 64);
	}
	of->any_dirty |= slots->count > 0;
}

void
model_add_step(struct model *model, enum voice_name voice, const struct slots *slots,
    const struct voice_step *step)
{
	model_add(model, voice, slots, step);
	wrapping_add(&model->head[MODEL_HEAD_BIAS_Z + voice], step->bias_z);
	wrapping_add(&model->head[MODEL_HEAD_BIAS_N + voice], step->bias_n);
	wrapping_add(&model->head[MODEL_HEAD_TAKEN + voice], step->taken);
}

/* What was added to the COUNT slots of a page, which is then part of the base. */
static void
take_delta(struct model_table *of, size_t first, size_t count, struct voice_sums *ret_delta)
{
	struct voice_sums *delta = of->delta + first;
	memcpy(ret_delta, delta, count * sizeof(*delta));
	memset(delta, 0, count * sizeof(*delta));
	for (size_t i = 0; of->base != NULL && i < count; i++) {
		wrapping_add(&of->base[first + i].z, ret_delta[i].z);
		wrapping_add(&of->base[first + i].n, ret_delta[i].n);
	}
}

static size_t
delta_cells(const struct voice_sums *delta, size_t slots, struct model_cell *ret_cells)
{
	size_t count = 0;
	for (uint32_t i = 0; i < slots; i++) {
		if (delta[i].z != 0)
			ret_cells[count++] = (struct model_cell){2 * i, delta[i].z};
		if (delta[i].n != 0)
			ret_cells[count++] = (struct model_cell){2 * i + 1, delta[i].n};
	}
	return count;
}

static void
drain_delta(struct model *model, unsigned table, uint32_t page, size_t first, size_t slots,
    const struct model_sink *sink)
{
	struct voice_sums delta[MODEL_PAGE_SLOTS];
	struct model_cell cells[MODEL_PAGE_CELLS];
	take_delta(&model->tables[table], first, slots, delta);
	size_t count = delta_cells(delta, slots, cells);
	if (count > 0)
		sink->page(sink->context, table, page, cells, count);
}

static void
drain_page(struct model *model, unsigned table, uint32_t page, const struct model_sink *sink)
{
	size_t first = (size_t)page * MODEL_PAGE_SLOTS;
	size_t slots = MIN(MODEL_PAGE_SLOTS, NGRAMS_SLOTS - first);
	if (!model->tables[table].alone)
		drain_delta(model, table, page, first, slots, sink);
	else
		sink->whole_page(sink->context, table, page,
		    (const int32_t *)&model->tables[table].base[first], 2 * slots);
}

static void
drain_table(struct model *model, unsigned table, const struct model_sink *sink)
{
	struct model_table *of = &model->tables[table];
	for (uint32_t word = 0; of->any_dirty && word < G_N_ELEMENTS(of->dirty); word++) {
		for (uint64_t bits = of->dirty[word]; bits != 0; bits &= bits - 1)
			drain_page(model, table, word * 64 + (uint32_t)__builtin_ctzll(bits), sink);
		of->dirty[word] = 0;
	}
	of->any_dirty = false;
}

void
model_tables_drain(struct model *model, const struct model_sink *sink)
{
	if (!model->has_source)
		model_preloaded(model, false);
	for (unsigned table = 0; table < MODEL_TABLES; table++)
		drain_table(model, table, sink);
}
