#include "config.h"

#include "policyd/milter/judges.h"

/* Tables that are in use; the last who has them frees them. */
struct tables {
	gint users;
	struct model *model;
};

struct judge {
	struct reader *reader;
	struct tables *tables; /* that the view is of; NULL if there is none */
	struct model *view;
};

struct judges {
	GMutex lock;
	GCond idle_changed;
	GPtrArray *idle; /* struct judge */
	unsigned count;
	struct tables *tables; /* the newest, or NULL */
};

static struct tables *
tables_ref(struct tables *tables)
{
	if (tables)
		g_atomic_int_inc(&tables->users);
	return tables;
}

static void
tables_unref(struct tables *tables)
{
	if (!tables || !g_atomic_int_dec_and_test(&tables->users))
		return;
	model_free(tables->model);
	g_free(tables);
}

static void
judge_forget(struct judge *judge)
{
	model_free(judge->view);
	tables_unref(judge->tables);
	judge->view = NULL;
	judge->tables = NULL;
}

static void
judge_free(gpointer data)
{
	struct judge *judge = data;

	judge_forget(judge);
	reader_free(judge->reader);
	g_free(judge);
}

struct judges *
judges_new(const struct settings *settings, unsigned count)
{
	struct judges *judges = g_new0(struct judges, 1);

	g_mutex_init(&judges->lock);
	g_cond_init(&judges->idle_changed);
	judges->idle = g_ptr_array_new_with_free_func(judge_free);
	judges->count = count;
	for (unsigned i = 0; i < count; i++) {
		struct judge *judge = g_new0(struct judge, 1);

		judge->reader = reader_new(settings);
		g_ptr_array_add(judges->idle, judge);
	}
	return judges;
}

void
judges_free(struct judges *judges)
{
	if (!judges)
		return;
	g_ptr_array_unref(judges->idle);
	tables_unref(judges->tables);
	g_cond_clear(&judges->idle_changed);
	g_mutex_clear(&judges->lock);
	g_free(judges);
}

void
judges_set_model(struct judges *judges, struct model *model)
{
	struct tables *tables = NULL, *old;

	if (model) {
		tables = g_new(struct tables, 1);
		*tables = (struct tables){.users = 1, .model = model};
	}
	g_mutex_lock(&judges->lock);
	old = judges->tables;
	judges->tables = tables;
	/* Nobody who rests keeps old tables in memory. */
	for (guint i = 0; i < judges->idle->len; i++)
		judge_forget(g_ptr_array_index(judges->idle, i));
	g_mutex_unlock(&judges->lock);
	tables_unref(old);
}

static struct judge *
take_judge(struct judges *judges)
{
	struct judge *judge;

	g_mutex_lock(&judges->lock);
	while (!judges->idle->len)
		g_cond_wait(&judges->idle_changed, &judges->lock);
	judge = g_ptr_array_steal_index_fast(judges->idle, judges->idle->len - 1);
	if (judge->tables != judges->tables) {
		judge_forget(judge);
		judge->tables = tables_ref(judges->tables);
		judge->view = judge->tables ? model_view(judge->tables->model) : NULL;
	}
	g_mutex_unlock(&judges->lock);
	return judge;
}

static void
give_judge(struct judges *judges, struct judge *judge)
{
	g_mutex_lock(&judges->lock);
	if (judge->tables != judges->tables)
		judge_forget(judge);
	g_ptr_array_add(judges->idle, judge);
	g_cond_signal(&judges->idle_changed);
	g_mutex_unlock(&judges->lock);
}

bool
judges_judge(struct judges *judges, const uint8_t *bytes, size_t length,
    void (*add)(void *context, struct reading *reading), void *context,
    struct reading **ret_reading, struct model_score *ret_score)
{
	struct judge *judge = take_judge(judges);
	struct reading *reading;
	bool judged;

	if (judge->view)
		reader_follow(judge->reader, judge->view);
	reading = reader_begin(judge->reader, bytes, length);
	if (add)
		add(context, reading);
	reader_finish(judge->reader, reading);
	judged = judge->view &&
		 model_judge(judge->view, &reading->tokens, &reading->features, ret_score);
	give_judge(judges, judge);
	*ret_reading = reading;
	return judged;
}
