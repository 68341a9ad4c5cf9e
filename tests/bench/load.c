/*
 * Load on a policy server: CONNECTIONS connections, each with one request in flight (as smtpd
 * does), as fast as they are answered or at RATE requests a second in all.
 *
 *	load -s unix:PATH|inet:HOST:PORT -n REQUESTS [-c CONNECTIONS] [-m new|known|white]
 *	     [-u UNIQUE] [-r RATE] [-i IDLE] [-p PID]
 *
 * new: triplets never seen before; known: UNIQUE triplets over and over; white: one client by the
 * name white.example.org. -i opens so many idle connections besides, and -p prints by how many
 * bytes each of these made the process PID grow. Prints one line of JSON; times in microseconds.
 */
#define _GNU_SOURCE
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum mode { MODE_NEW, MODE_KNOWN, MODE_WHITE, MODES };

static const char *const mode_names[MODES] = {"new", "known", "white"};

struct options {
	const char *server;
	enum mode mode;
	int connections, idle;
	long requests, unique, rate, pid;
};

struct connection {
	int fd;
	uint64_t sent; /* nanoseconds */
	size_t got;
	char reply[2048];
};

struct run {
	struct options options;
	struct connection *connections;
	struct connection **waiting; /* for their turn at a given rate */
	int n_waiting, epoll;
	uint64_t begin, salt;
	long sent, done, deferred, failed;
	uint32_t *latency;
};

static void
die(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t
nanoseconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int
dial_unix(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
		die(path);
	return fd;
}

static int
dial_inet(const char *text)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	char host[64];
	unsigned port;
	int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);

	if (sscanf(text, "%63[^:]:%u", host, &port) != 2 ||
	    inet_pton(AF_INET, host, &address.sin_addr) != 1)
		die(text);
	address.sin_port = htons((uint16_t)port);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
		die(text);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	return fd;
}

static int
dial(const char *server)
{
	if (strncmp(server, "unix:", 5) == 0)
		return dial_unix(server + 5);
	return dial_inet(strncmp(server, "inet:", 5) == 0 ? server + 5 : server);
}

static uint64_t
mix(uint64_t x)
{
	x ^= x >> 31;
	x *= 0x9e3779b97f4a7c15u;
	x ^= x >> 29;
	x *= 0xbf58476d1ce4e5b9u;
	return x ^ x >> 32;
}

/* What Postfix 3.7 sends, some 700 bytes. */
static size_t
build_request(const struct run *run, long number, char *text, size_t size)
{
	const struct options *o = &run->options;
	uint64_t k =
	    o->mode == MODE_NEW ? run->salt + (uint64_t)number : (uint64_t)(number % o->unique);
	uint64_t r = mix(k + 1);
	unsigned net = r >> 40 & 1023;
	char name[64] = "white.example.org";

	if (o->mode != MODE_WHITE)
		snprintf(name, sizeof name, "host%" PRIu64 ".net%u.example", k, net);
	return (size_t)snprintf(text, size,
	    "request=smtpd_access_policy\nprotocol_state=RCPT\nprotocol_name=ESMTP\n"
	    "client_address=%u.%u.%u.%u\nclient_name=%s\nclient_port=41234\n"
	    "reverse_client_name=%s\nserver_address=192.0.2.1\nserver_port=25\nhelo_name=%s\n"
	    "sender=user%" PRIu64 "@net%u.example\nrecipient=rcpt%u@dest.example\n"
	    "recipient_count=0\nqueue_id=\ninstance=%lx.%" PRIx64 ".%lx.0\nsize=0\netrn_domain=\n"
	    "stress=\nsasl_method=\nsasl_username=\nsasl_sender=\nccert_subject=\nccert_issuer=\n"
	    "ccert_fingerprint=\nccert_pubkey_fingerprint=\nencryption_protocol=\n"
	    "encryption_cipher=\nencryption_keysize=0\npolicy_context=\ncompatibility_level=3.6\n"
	    "mail_version=3.7.11\n\n",
	    (unsigned)(1 + (r >> 16 & 127)), (unsigned)(r >> 24 & 255), (unsigned)(r >> 32 & 255),
	    (unsigned)(r & 255), name, name, name, k, net, (unsigned)(r >> 8 & 255), (long)getpid(),
	    run->salt, number);
}

static void
send_request(struct run *run, struct connection *c)
{
	char text[2048];
	size_t length = build_request(run, run->sent++, text, sizeof text);

	c->got = 0;
	c->sent = nanoseconds();
	if (write(c->fd, text, length) != (ssize_t)length)
		die("write");
}

/* Sends now, or keeps the connection until its turn. */
static void
next_request(struct run *run, struct connection *c)
{
	if (run->options.rate)
		run->waiting[run->n_waiting++] = c;
	else if (run->sent < run->options.requests)
		send_request(run, c);
}

static void
send_those_due(struct run *run)
{
	double elapsed = (double)(nanoseconds() - run->begin) / 1e9;
	long due = (long)(elapsed * (double)run->options.rate);

	while (run->n_waiting && run->sent < due && run->sent < run->options.requests)
		send_request(run, run->waiting[--run->n_waiting]);
}

static void
on_reply(struct run *run, struct connection *c)
{
	ssize_t n = read(c->fd, c->reply + c->got, sizeof c->reply - 1 - c->got);

	if (n <= 0) {
		fprintf(stderr, "the server closed a connection\n");
		exit(1);
	}
	c->got += (size_t)n;
	if (c->got < 2 || memcmp(c->reply + c->got - 2, "\n\n", 2) != 0)
		return;
	run->latency[run->done++] = (uint32_t)((nanoseconds() - c->sent) / 1000);
	run->deferred += memcmp(c->reply, "action=DEFER", 12) == 0;
	next_request(run, c);
}

static int
compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void
play(struct run *run)
{
	struct epoll_event events[256];

	run->begin = nanoseconds();
	for (int i = 0; i < run->options.connections; i++)
		next_request(run, &run->connections[i]);
	while (run->done < run->options.requests) {
		int n = epoll_wait(run->epoll, events, 256, run->options.rate ? 1 : 10000);

		if (n == 0 && !run->options.rate) {
			fprintf(stderr, "no answer in 10 s\n");
			exit(1);
		}
		for (int i = 0; i < n; i++)
			on_reply(run, events[i].data.ptr);
		if (run->options.rate)
			send_those_due(run);
	}
}

/* Anonymous memory of a process, in bytes. */
static long
memory_of(long pid)
{
	char path[64], line[256];
	long kilobytes = 0;
	FILE *file;

	snprintf(path, sizeof path, "/proc/%ld/status", pid);
	file = fopen(path, "r");
	if (!file)
		die(path);
	while (fgets(line, sizeof line, file))
		if (sscanf(line, "RssAnon: %ld", &kilobytes) == 1)
			break;
	fclose(file);
	return kilobytes * 1024;
}

static long
open_idle(const struct options *o)
{
	long before = o->pid ? memory_of(o->pid) : 0;

	for (int i = 0; i < o->idle; i++)
		dial(o->server);
	if (!o->idle || !o->pid)
		return 0;
	usleep(500000);
	return (memory_of(o->pid) - before) / o->idle;
}

static void
parse(int argc, char **argv, struct options *o)
{
	int option;

	*o = (struct options){.connections = 50, .requests = 100000, .unique = 1000};
	while ((option = getopt(argc, argv, "s:c:n:m:u:r:i:p:")) != -1) {
		switch (option) {
		case 's': o->server = optarg; break;
		case 'c': o->connections = (int)strtol(optarg, NULL, 10); break;
		case 'n': o->requests = strtol(optarg, NULL, 10); break;
		case 'u': o->unique = strtol(optarg, NULL, 10); break;
		case 'r': o->rate = strtol(optarg, NULL, 10); break;
		case 'i': o->idle = (int)strtol(optarg, NULL, 10); break;
		case 'p': o->pid = strtol(optarg, NULL, 10); break;
		case 'm':
			while (o->mode < MODES && strcmp(optarg, mode_names[o->mode]) != 0)
				o->mode++;
			break;
		default: exit(2);
		}
	}
	if (!o->server || o->mode == MODES || o->requests < 1 || o->connections < 1) {
		fprintf(stderr, "load: see the head of load.c\n");
		exit(2);
	}
}

static void
raise_files(void)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static void
open_connections(struct run *run)
{
	int n = run->options.connections;

	run->connections = calloc((size_t)n, sizeof *run->connections);
	run->waiting = calloc((size_t)n, sizeof(struct connection *));
	run->latency = calloc((size_t)run->options.requests, sizeof *run->latency);
	run->epoll = epoll_create1(0);
	for (int i = 0; i < n; i++) {
		struct epoll_event event = {.events = EPOLLIN, .data.ptr = &run->connections[i]};

		run->connections[i].fd = dial(run->options.server);
		epoll_ctl(run->epoll, EPOLL_CTL_ADD, run->connections[i].fd, &event);
	}
}

int
main(int argc, char **argv)
{
	struct run run = {.salt = nanoseconds() % 1000000007 * 1000};
	const uint32_t *l;
	double seconds;
	long n, idle_bytes;

	parse(argc, argv, &run.options);
	raise_files();
	idle_bytes = open_idle(&run.options);
	open_connections(&run);
	play(&run);
	seconds = (double)(nanoseconds() - run.begin) / 1e9;
	n = run.done;
	l = run.latency;
	qsort(run.latency, (size_t)n, sizeof *run.latency, compare);
	printf("{\"requests\": %ld, \"seconds\": %.3f, \"rate\": %.0f, \"p50\": %u, \"p99\": %u, "
	       "\"p999\": %u, \"max\": %u, \"deferred\": %ld, \"idle_bytes\": %ld}\n",
	    n, seconds, (double)n / seconds, l[n / 2], l[n * 99 / 100], l[n * 999 / 1000], l[n - 1],
	    run.deferred, idle_bytes);
	return 0;
}
