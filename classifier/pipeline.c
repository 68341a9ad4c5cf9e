#include "config.h"

#include "classifier/pipeline.h"

#include <stdbool.h>

/* Items under way for each thread: enough that no thread waits for the pusher. */
#define DEPTH 16

/* Threads past this would wait for the pusher, which reads the files. */
#define THREADS_MAX 16

struct slot {
	gpointer item, result;
	bool ready;
};

struct pipeline {
	struct pipeline_functions functions;
	GThread **threads;
	unsigned n;
	GMutex lock;
	GCond work_there, result_there;
	struct slot *slots;                    /* a ring */
	guint64 size, pushed, taken, finished; /* counts; modulo size, places in the ring */
	bool ending;
	struct worker {
		struct pipeline *pipeline;
		gpointer context;
	} * workers;
};

static gpointer
run(gpointer data)
{
	struct worker *worker = data;
	struct pipeline *p = worker->pipeline;

	g_mutex_lock(&p->lock);
	for (;;) {
		struct slot *slot;

		while (p->taken == p->pushed && !p->ending)
			g_cond_wait(&p->work_there, &p->lock);
		if (p->taken == p->pushed)
			break;
		slot = &p->slots[p->taken++ % p->size];
		g_mutex_unlock(&p->lock);
		slot->result = p->functions.work(worker->context, slot->item);
		g_mutex_lock(&p->lock);
		slot->ready = true;
		g_cond_signal(&p->result_there);
	}
	g_mutex_unlock(&p->lock);
	return NULL;
}

struct pipeline *
pipeline_new(const struct pipeline_functions *functions, gpointer *thread_contexts, unsigned n)
{
	struct pipeline *p = g_new0(struct pipeline, 1);

	p->functions = *functions;
	p->n = n;
	p->size = (guint64)n * DEPTH;
	p->slots = g_new0(struct slot, p->size);
	p->threads = g_new0(GThread *, n);
	p->workers = g_new0(struct worker, n);
	g_mutex_init(&p->lock);
	g_cond_init(&p->work_there);
	g_cond_init(&p->result_there);
	for (unsigned i = 0; i < n; i++) {
		p->workers[i] = (struct worker){p, thread_contexts[i]};
		p->threads[i] = g_thread_new("reader", run, &p->workers[i]);
	}
	return p;
}

/* Waits for the oldest item and gives it out. */
static void
give_out_oldest(struct pipeline *p)
{
	struct slot *slot = &p->slots[p->finished % p->size];

	g_mutex_lock(&p->lock);
	while (!slot->ready)
		g_cond_wait(&p->result_there, &p->lock);
	slot->ready = false;
	g_mutex_unlock(&p->lock);
	p->finished++;
	p->functions.done(p->functions.context, slot->item, slot->result);
}

void
pipeline_push(struct pipeline *p, gpointer item)
{
	if (p->pushed - p->finished == p->size)
		give_out_oldest(p);
	g_mutex_lock(&p->lock);
	p->slots[p->pushed++ % p->size].item = item;
	g_cond_signal(&p->work_there);
	g_mutex_unlock(&p->lock);
}

void
pipeline_finish(struct pipeline *p)
{
	while (p->finished < p->pushed)
		give_out_oldest(p);
	g_mutex_lock(&p->lock);
	p->ending = true;
	g_cond_broadcast(&p->work_there);
	g_mutex_unlock(&p->lock);
	for (unsigned i = 0; i < p->n; i++)
		g_thread_join(p->threads[i]);
	g_mutex_clear(&p->lock);
	g_cond_clear(&p->work_there);
	g_cond_clear(&p->result_there);
	g_free(p->slots);
	g_free(p->threads);
	g_free(p->workers);
	g_free(p);
}

unsigned
pipeline_threads(void)
{
	return CLAMP(g_get_num_processors(), 1, THREADS_MAX);
}
