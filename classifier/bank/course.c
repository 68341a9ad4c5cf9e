#include "config.h"

#include "classifier/bank/course.h"

#include <string.h>

/* Messages that are held back until it shows whether the run is a bulk run. */
#define HELD 256

/* Or as soon as they take so many bytes. */
#define HELD_BYTES (16u << 20)

static void
move_clear(gpointer data)
{
	g_free(((struct course_move *)data)->name);
}

void
course_begin(struct course *course, const struct course_functions *functions, struct model *model)
{
	*course = (struct course){
	    .functions = *functions,
	    .model = model,
	    .held = g_ptr_array_new_with_free_func(functions->free_item),
	    .moves = g_array_new(FALSE, FALSE, sizeof(struct course_move)),
	};
	g_array_set_clear_func(course->moves, move_clear);
}

void
course_clear(struct course *course)
{
	g_ptr_array_unref(course->held);
	g_array_unref(course->moves);
}

/* The steps of the first messages of a bulk run would be taken out again by the rebuild. */
bool
course_holds(const struct course *course)
{
	return !course->deferring;
}

static bool
has_failed(const struct course *course)
{
	return course->functions.failed && course->functions.failed(course->functions.context);
}

/* FRESH messages are about to be learned. */
static void
watch(struct course *course, unsigned fresh)
{
	const struct course_functions *f = &course->functions;

	if (has_failed(course))
		return;
	if (!course->deferring && model_wants_rebuild(course->model, course->learned, fresh)) {
		course->deferring = true;
		model_defer(course->model);
		if (f->deferred)
			f->deferred(f->context);
	}
	if (model_memory_is_full(course->model))
		f->rebuild(f->context);
}

void
course_watch(struct course *course)
{
	watch(course, 0);
}

bool
course_is_fresh(const struct course *course, const uint8_t digest[CANONICAL_DIGEST_SIZE], bool spam)
{
	return !model_knows(course->model, digest, spam);
}

void
course_hold(struct course *course, gpointer item, size_t bytes, bool fresh)
{
	g_ptr_array_add(course->held, item);
	course->bytes += bytes;
	course->fresh += fresh;
	if (course->held->len >= HELD || course->bytes > HELD_BYTES)
		course_learn_held(course);
}

void
course_learn_held(struct course *course)
{
	const struct course_functions *f = &course->functions;

	watch(course, course->fresh);
	for (guint i = 0; i < course->held->len && !has_failed(course); i++)
		f->learn(f->context, g_ptr_array_index(course->held, i));
	g_ptr_array_set_size(course->held, 0);
	course->bytes = 0;
	course->fresh = 0;
}

void
course_note_move(
    struct course *course, const uint8_t digest[CANONICAL_DIGEST_SIZE], bool spam, const char *name)
{
	struct course_move move = {.spam = spam, .name = g_strdup(name)};

	memcpy(move.digest, digest, sizeof move.digest);
	g_array_append_val(course->moves, move);
}

void
course_forget_moves(struct course *course)
{
	g_array_set_size(course->moves, 0);
}

bool
course_rebuild(struct course *course)
{
	const struct course_functions *f = &course->functions;
	struct model_report report;

	if (!model_rebuild(course->model))
		return false;
	for (guint i = 0; i < course->moves->len; i++) {
		const struct course_move *m = &g_array_index(course->moves, struct course_move, i);

		if (model_correct(course->model, m->digest, m->spam, &report) && f->corrected)
			f->corrected(f->context, m, &report);
	}
	return true;
}

/* A run that was killed before leaves steps that are owed. */
bool
course_ends_in_rebuild(const struct course *course, bool cut_short)
{
	struct model_totals totals;

	model_totals(course->model, &totals);
	return totals.owed ||
	       (!cut_short && model_wants_rebuild(course->model, course->learned, 0));
}
