#include <string.h>
#include "classifier/model_state.h"

void
model_tables_init(struct model *model)
{
	for (unsigned i = 0; i < MODEL_TABLES; i++)
		model->tables[i].delta = g_new0(struct voice_sums, VOICE_SLOTS);
}

void
model_tables_clear(struct model *model)
{
	for (unsigned i = 0; i < MODEL_TABLES; i++) {
		g_free(model->tables[i].base);
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
	size_t room = 2 * MIN(VOICE_SLOTS - first, MODEL_PAGE_SLOTS);
	if (of->base == NULL)
		of->base = g_new0(struct voice_sums, VOICE_SLOTS);
	for (size_t i = 0; i < MIN(count, room); i++) {
		struct voice_sums *sums = &of->base[first + i / 2];
		*(i % 2 == 0 ? &sums->z : &sums->n) = cells[i];
	}
}

void
model_preloaded(struct model *model)
{
	for (unsigned i = 0; i < MODEL_TABLES; i++)
		if (model->tables[i].base == NULL)
			model->tables[i].base = g_new0(struct voice_sums, VOICE_SLOTS);
}

/* What a damaged store has must not lead to undefined behaviour. */
static void
wrapping_add(int32_t *sum, int32_t number)
{
	*sum = (int32_t)((uint32_t)*sum + (uint32_t)number);
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
	for (size_t i = 0; of->any_dirty && i < slots->count; i++) {
		const struct voice_sums *delta = &of->delta[slots->list[i]];
		struct voice_sums *sums = &of->sums[i];
		wrapping_add(&sums->z, delta->z);
		wrapping_add(&sums->n, delta->n);
	}
	return of->sums;
}

void
model_add(
    struct model *model, unsigned table, const struct slots *slots, const struct voice_step *step)
{
	struct model_table *of = &model->tables[table];
	voice_add(of->delta, slots->list, slots->count, step);
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

/* The changes of one page as cells, which are then part of the base. */
static size_t
drain_page(struct model_table *table, uint32_t page, struct model_cell *ret_cells)
{
	size_t first = (size_t)page * MODEL_PAGE_SLOTS;
	size_t end = MIN(first + MODEL_PAGE_SLOTS, VOICE_SLOTS);
	size_t count = 0;
	for (size_t slot = first; slot < end; slot++) {
		struct voice_sums *delta = &table->delta[slot];
		uint32_t index = (uint32_t)(2 * (slot - first));
		if (delta->z != 0)
			ret_cells[count++] = (struct model_cell){index, delta->z};
		if (delta->n != 0)
			ret_cells[count++] = (struct model_cell){index + 1, delta->n};
		if (table->base != NULL) {
			wrapping_add(&table->base[slot].z, delta->z);
			wrapping_add(&table->base[slot].n, delta->n);
		}
		*delta = (struct voice_sums){0};
	}
	return count;
}

static void
drain_table(struct model *model, unsigned table, const struct model_sink *sink)
{
	struct model_table *of = &model->tables[table];
	struct model_cell cells[MODEL_PAGE_CELLS];
	for (uint32_t word = 0; of->any_dirty && word < G_N_ELEMENTS(of->dirty); word++) {
		for (uint64_t bits = of->dirty[word]; bits != 0; bits &= bits - 1) {
			uint32_t page = word * 64 + (uint32_t)__builtin_ctzll(bits);
			size_t count = drain_page(of, page, cells);
			if (count > 0)
				sink->page(sink->context, table, page, cells, count);
		}
		of->dirty[word] = 0;
	}
	of->any_dirty = false;
}

void
model_tables_drain(struct model *model, const struct model_sink *sink)
{
	if (!model->has_source)
		model_preloaded(model);
	for (unsigned table = 0; table < MODEL_TABLES; table++)
		drain_table(model, table, sink);
}
