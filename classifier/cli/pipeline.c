#include "config.h"

#include "classifier/cli/pipeline.h"

#include <stdbool.h>

/* Items under way for each thread, and bytes in all: enough that the threads need not wait while
 * the pusher gathers a transaction. */
#define DEPTH     64
#define BYTES_MAX (4u << 20)

#define NONE G_MAXUINT64

/* Threads past this would wait for the pusher, which reads the files. */
#define THREADS_MAX 16

struct slot {
	gpointer item, result;
	size_t bytes;
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
	guint64 awaited;                       /* the one the pusher sleeps for, or none */
	size_t bytes;                          /* under way */
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
		guint64 number;

		while (p->taken == p->pushed && !p->ending)
			g_cond_wait(&p->work_there, &p->lock);
		if (p->taken == p->pushed)
			break;
		number = p->taken++;
		slot = &p->slots[number % p->size];
		g_mutex_unlock(&p->lock);
		slot->result = p->functions.work(worker->context, slot->item);
		g_mutex_lock(&p->lock);
		slot->ready = true;
		if (number == p->awaited)
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
	p->awaited = NONE;
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

static void
wait_for(struct pipeline *p, guint64 number)
{
	const struct slot *slot = &p->slots[number % p->size];

	g_mutex_lock(&p->lock);
	p->awaited = number;
	while (!slot->ready)
		g_cond_wait(&p->result_there, &p->lock);
	p->awaited = NONE;
	g_mutex_unlock(&p->lock);
}

/* Gives the oldest N items out. It sleeps but once for most of them: for each item by itself the
 * pusher, which is faster than the threads, would go to sleep and be woken. */
static void
give_out_oldest(struct pipeline *p, guint64 n)
{
	wait_for(p, p->finished + n - 1);
	for (guint64 i = 0; i < n; i++) {
		struct slot *slot = &p->slots[p->finished % p->size];

		wait_for(p, p->finished);
		slot->ready = false;
		p->bytes -= slot->bytes;
		p->finished++;
		p->functions.done(p->functions.context, slot->item, slot->result);
	}
}

void
pipeline_push(struct pipeline *p, gpointer item, size_t bytes)
{
	struct slot *slot = &p->slots[p->pushed % p->size];
	guint64 under_way = p->pushed - p->finished;

	if (under_way == p->size || (under_way > 0 && p->bytes + bytes > BYTES_MAX))
		give_out_oldest(p, (under_way + 1) / 2);
	p->bytes += bytes;
	g_mutex_lock(&p->lock);
	slot->item = item;
	slot->bytes = bytes;
	p->pushed++;
	g_cond_signal(&p->work_there);
	g_mutex_unlock(&p->lock);
}

void
pipeline_finish(struct pipeline *p)
{
	while (p->finished < p->pushed)
		give_out_oldest(p, 1);
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
