/*
 * The least that any policy server must do: wait, read, find the empty line, answer DUNNO. No
 * parser, no store. What the others are measured by.
 *
 *	floor PORT
 */
#define _GNU_SOURCE
#include "config.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

struct connection {
	int fd;
	size_t got;
	char text[8192];
};

static int
listen_on(uint16_t port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
	    .sin_port = htons(port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 1024) != 0) {
		perror("floor");
		exit(1);
	}
	return fd;
}

static void
add(int epoll, int listener)
{
	int fd = accept4(listener, NULL, NULL, 0);
	struct connection *c = calloc(1, sizeof *c);
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};

	c->fd = fd;
	epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

static void
serve(struct connection *c)
{
	static const char reply[] = "action=DUNNO\n\n";
	ssize_t n = read(c->fd, c->text + c->got, sizeof c->text - c->got);

	if (n <= 0) {
		close(c->fd);
		free(c);
		return;
	}
	c->got += (size_t)n;
	if (c->got < 2 || memcmp(c->text + c->got - 2, "\n\n", 2) != 0)
		return;
	c->got = 0;
	if (write(c->fd, reply, sizeof reply - 1) < 0)
		perror("write");
}

int
main(int argc, char **argv)
{
	struct epoll_event events[256], event = {.events = EPOLLIN};
	int listener, epoll = epoll_create1(0);

	if (argc != 2)
		return 2;
	listener = listen_on((uint16_t)strtoul(argv[1], NULL, 10));
	epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
	for (;;) {
		int n = epoll_wait(epoll, events, 256, -1);

		for (int i = 0; i < n; i++) {
			if (events[i].data.ptr)
				serve(events[i].data.ptr);
			else
				add(epoll, listener);
		}
	}
}
