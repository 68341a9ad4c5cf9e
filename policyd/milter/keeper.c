#include "config.h"

#include "policyd/milter/keeper.h"

#include <poll.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "classifier/bank/bank.h"
#include "db/open/open.h"
#include "lib/log.h"

#define TICK          1000 /* milliseconds from one look at the tables and counters to the next */
#define SHARED_LOOKS  15   /* ticks between two looks at the tables of a server that others train */
#define OPEN_INTERVAL 5    /* seconds from one attempt to open the store to the next */
#define COUNT_TIMEOUT 500  /* milliseconds */
#define JOBS_MAX      10000
#define OUTSTANDING   1000 /* writes under way, before further ones wait for them */
#define BATCH         100  /* milliseconds in which jobs gather, to be written by one commit */

struct job {
	void (*write)(struct store *store, void *data);
	void *data;
	GDestroyNotify free_data;
};

struct milter_keeper {
	const struct settings *settings;
	struct judges *judges;
	unsigned patience;
	struct milter_listener listener;
	bool shared; /* a server's connection is this thread's alone */
	GThread *thread;
	int wake; /* an eventfd */

	GMutex lock;
	GCond tried_to_open;
	bool tried, stopping;
	GQueue jobs;              /* struct job */
	bool writing;             /* a wake-up is under way */
	struct verdicts verdicts; /* not yet written */

	_Atomic(struct store *) store;
	/* The thread's own: */
	int64_t due; /* when the jobs that have come are to be done; G_MAXINT64 for none */
	struct bank *bank;
	struct model *model; /* the judges' newest */
	char *problem;       /* why the store cannot be opened */
	enum condition told;
	char *told_reason;
	unsigned looks; /* at the tables that are left out yet */
};

static void
wake(struct milter_keeper *keeper)
{
	const uint64_t one = 1;
	ssize_t n = write(keeper->wake, &one, sizeof one);

	(void)n;
}

static void
free_job(gpointer data)
{
	struct job *job = data;

	if (job->free_data)
		job->free_data(job->data);
	g_free(job);
}

/* -- the thread -- */

static bool
load_model(struct milter_keeper *keeper)
{
	struct model *model = bank_model(keeper->bank);

	if (model && bank_preload(keeper->bank, model)) {
		keeper->model = model;
		judges_set_model(keeper->judges, model);
		return true;
	}
	model_free(model);
	return false;
}

/* A store that cannot be read any more leaves no old tables behind to judge by. */
static void
look_at_model(struct milter_keeper *keeper)
{
	if (keeper->model && keeper->looks > 0) {
		keeper->looks--;
		return;
	}
	keeper->looks = bank_is_shared(keeper->bank) ? SHARED_LOOKS - 1 : 0;
	if (keeper->model && model_is_current(keeper->model))
		return;
	if (load_model(keeper))
		return;
	log_limited(LOG_LEVEL_ERROR, "tables",
	    "what was learned cannot be read; mail is let in without a verdict");
	keeper->model = NULL;
	judges_set_model(keeper->judges, NULL);
}

static void
open_store(struct milter_keeper *keeper)
{
	g_autoptr(GError) error = NULL;
	const char *uri = settings_text(keeper->settings, SETTING_STORE_URI);

	keeper->bank = bank_open(keeper->settings, uri, BANK_SERVE, &error);
	g_clear_pointer(&keeper->problem, g_free);
	if (!keeper->bank) {
		keeper->problem = g_strdup_printf("the store cannot be opened: %s", error->message);
		log_limited(LOG_LEVEL_ERROR, "store",
		    "%s; mail is let in without a verdict until it opens", error->message);
		return;
	}
	look_at_model(keeper);
	atomic_store(&keeper->store, bank_store(keeper->bank));
	log_line(LOG_LEVEL_INFO, "store %s is open", uri);
}

static void
tell_tried(struct milter_keeper *keeper)
{
	g_mutex_lock(&keeper->lock);
	keeper->tried = true;
	g_cond_broadcast(&keeper->tried_to_open);
	g_mutex_unlock(&keeper->lock);
}

static void
add_verdicts(struct verdicts *sum, const struct verdicts *more)
{
	for (unsigned i = 0; i < VERDICTS_CELLS; i++)
		sum->cells[i] += more->cells[i];
}

static void
write_verdicts(struct milter_keeper *keeper)
{
	struct store *store = bank_store(keeper->bank);
	struct verdicts verdicts;

	g_mutex_lock(&keeper->lock);
	verdicts = keeper->verdicts;
	keeper->verdicts = (struct verdicts){{0}};
	g_mutex_unlock(&keeper->lock);
	if (verdicts_add(store, &verdicts, store_now(store), COUNT_TIMEOUT))
		return;
	log_limited(LOG_LEVEL_WARNING, "verdicts", "the verdicts could not be counted yet");
	g_mutex_lock(&keeper->lock);
	add_verdicts(&keeper->verdicts, &verdicts);
	g_mutex_unlock(&keeper->lock);
}

static struct job *
next_job(struct milter_keeper *keeper)
{
	struct job *job;

	g_mutex_lock(&keeper->lock);
	job = g_queue_pop_head(&keeper->jobs);
	keeper->writing &= job != NULL;
	g_mutex_unlock(&keeper->lock);
	return job;
}

/* Those that the store has no room for yet stay due. */
static void
do_jobs(struct milter_keeper *keeper)
{
	struct store *store = bank_store(keeper->bank);
	struct job *job = NULL;

	while (store_outstanding(store) < OUTSTANDING && (job = next_job(keeper))) {
		job->write(store, job->data);
		free_job(job);
	}
	if (!job)
		keeper->due = store_outstanding(store) < OUTSTANDING
				  ? G_MAXINT64
				  : g_get_monotonic_time() + BATCH * 1000;
}

static void
wait_for_work(struct milter_keeper *keeper, int64_t until)
{
	struct pollfd fds[] = {{.fd = keeper->wake, .events = POLLIN},
	    {.fd = keeper->bank ? store_poll_fd(bank_store(keeper->bank)) : -1, .events = POLLIN}};
	int64_t now = g_get_monotonic_time();
	uint64_t count;

	if (poll(fds, G_N_ELEMENTS(fds), until > now ? (int)((until - now) / 1000 + 1) : 0) <= 0)
		return;
	if (fds[0].revents && read(keeper->wake, &count, sizeof count) > 0)
		keeper->due = MIN(keeper->due, g_get_monotonic_time() + BATCH * 1000);
	if (fds[1].revents)
		store_dispatch(bank_store(keeper->bank));
}

static bool
is_stopping(struct milter_keeper *keeper)
{
	bool stopping;

	g_mutex_lock(&keeper->lock);
	stopping = keeper->stopping;
	g_mutex_unlock(&keeper->lock);
	return stopping;
}

/* Without tables there is no verdict, be the store open or not. */
static void
tell_condition(struct milter_keeper *keeper)
{
	enum condition condition = keeper->model ? CONDITION_JUDGING : CONDITION_UNJUDGED;
	const char *reason = keeper->problem;

	if (keeper->model)
		reason = "";
	else if (keeper->bank)
		reason = "what was learned cannot be read";
	else if (!reason)
		reason =
		    "its serving process has ended again and again, and leaves the store alone";
	if (condition == keeper->told && g_strcmp0(reason, keeper->told_reason) == 0)
		return;
	keeper->told = condition;
	g_free(keeper->told_reason);
	keeper->told_reason = g_strdup(reason);
	keeper->listener.tell(keeper->listener.context, condition, reason);
}

static void
tick(struct milter_keeper *keeper, int64_t now, int64_t *next_open)
{
	if (!keeper->bank && now >= *next_open) {
		open_store(keeper);
		*next_open = now + OPEN_INTERVAL * G_USEC_PER_SEC;
		tell_tried(keeper);
	} else if (keeper->bank) {
		look_at_model(keeper);
		write_verdicts(keeper);
	}
	tell_condition(keeper);
	log_flush();
}

static gpointer
keep(gpointer data)
{
	struct milter_keeper *keeper = data;
	int64_t next_tick = g_get_monotonic_time();
	int64_t next_open = next_tick + keeper->patience * G_USEC_PER_SEC;

	if (keeper->patience)
		tell_tried(keeper);
	while (!is_stopping(keeper)) {
		int64_t now = g_get_monotonic_time();

		if (now >= next_tick) {
			tick(keeper, now, &next_open);
			next_tick = g_get_monotonic_time() + TICK * 1000;
		}
		if (keeper->bank && now >= keeper->due)
			do_jobs(keeper);
		wait_for_work(keeper, MIN(next_tick, keeper->due));
	}
	return NULL;
}

/* -- life -- */

struct milter_keeper *
milter_keeper_new(const struct settings *settings, struct judges *judges, unsigned patience,
    const struct milter_listener *listener)
{
	struct milter_keeper *keeper = g_new0(struct milter_keeper, 1);

	keeper->settings = settings;
	keeper->judges = judges;
	keeper->patience = patience;
	keeper->listener = *listener;
	keeper->shared = store_is_shared(settings_text(settings, SETTING_STORE_URI));
	keeper->due = G_MAXINT64;
	keeper->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	g_mutex_init(&keeper->lock);
	g_cond_init(&keeper->tried_to_open);
	g_queue_init(&keeper->jobs);
	keeper->thread = g_thread_new("keeper", keep, keeper);
	return keeper;
}

void
milter_keeper_wait(struct milter_keeper *keeper)
{
	g_mutex_lock(&keeper->lock);
	while (!keeper->tried)
		g_cond_wait(&keeper->tried_to_open, &keeper->lock);
	g_mutex_unlock(&keeper->lock);
}

void
milter_keeper_stop(struct milter_keeper *keeper)
{
	g_mutex_lock(&keeper->lock);
	keeper->stopping = true;
	g_mutex_unlock(&keeper->lock);
	wake(keeper);
	g_thread_join(keeper->thread);
	judges_set_model(keeper->judges, NULL);
	if (!keeper->bank)
		return;
	write_verdicts(keeper);
	do {
		do_jobs(keeper);
		store_wait(bank_store(keeper->bank));
	} while (keeper->due != G_MAXINT64);
	atomic_store(&keeper->store, NULL);
	bank_close(keeper->bank);
	keeper->bank = NULL;
}

void
milter_keeper_free(struct milter_keeper *keeper)
{
	if (!keeper)
		return;
	g_queue_clear_full(&keeper->jobs, free_job);
	g_mutex_clear(&keeper->lock);
	g_cond_clear(&keeper->tried_to_open);
	close(keeper->wake);
	g_free(keeper->problem);
	g_free(keeper->told_reason);
	g_free(keeper);
}

struct store *
milter_keeper_store(struct milter_keeper *keeper)
{
	return keeper->shared ? NULL : atomic_load(&keeper->store);
}

void
milter_keeper_judged(struct milter_keeper *keeper, enum verdict verdict, double score)
{
	g_mutex_lock(&keeper->lock);
	verdicts_judged(&keeper->verdicts, verdict, score);
	g_mutex_unlock(&keeper->lock);
}

void
milter_keeper_failed(struct milter_keeper *keeper)
{
	g_mutex_lock(&keeper->lock);
	keeper->verdicts.cells[VERDICTS_FAILED]++;
	g_mutex_unlock(&keeper->lock);
}

bool
milter_keeper_write(struct milter_keeper *keeper, void (*write)(struct store *store, void *data),
    void *data, GDestroyNotify free_data)
{
	struct job *job = g_new(struct job, 1);
	bool taken, sleeping = false;

	*job = (struct job){write, data, free_data};
	g_mutex_lock(&keeper->lock);
	taken = atomic_load(&keeper->store) && !keeper->stopping &&
		g_queue_get_length(&keeper->jobs) < JOBS_MAX;
	if (taken) {
		g_queue_push_tail(&keeper->jobs, job);
		sleeping = !keeper->writing;
		keeper->writing = true;
	}
	g_mutex_unlock(&keeper->lock);
	if (sleeping)
		wake(keeper);
	if (!taken)
		free_job(job);
	return taken;
}
