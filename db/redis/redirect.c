/*
 * A cluster that says that a slot is elsewhere. All keys of a store there lie in one slot: once one
 * command was refused with MOVED, so are all that were sent after it on the connection, and none of
 * them was done. Each is sent again to the server that was named.
 */
#include "config.h"

#include <string.h>

#include "db/redis/op.h"

/* "MOVED 3999 127.0.0.1:6381", and ASK in the same form. Without a host it is the one asked. */
static bool
parse(const struct store_redis *r, const char *text, char **ret_host, int *ret_port)
{
	g_auto(GStrv) words = g_strsplit(text, " ", 3);

	if (g_strv_length(words) != 3)
		return false;
	if (words[2][0] == ':') {
		*ret_host = g_strdup(r->address.host);
		*ret_port = (int)g_ascii_strtoll(words[2] + 1, NULL, 10);
		return *ret_host != NULL;
	}
	return redis_host_parse(words[2], 0, ret_host, ret_port);
}

static void
mark_all(struct store_redis *r)
{
	GHashTableIter iter;
	gpointer key;

	g_hash_table_iter_init(&iter, r->ops);
	while (g_hash_table_iter_next(&iter, &key, NULL)) {
		struct redis_op *op = key;

		op->moved = op->waiting_replies > 0;
	}
}

static void
no_deadline(void *context G_GNUC_UNUSED)
{
}

/* The link to where slots are being moved stays for the next time. */
static void
open_asking(struct store_redis *r, const char *host, int port)
{
	struct redis_link_owner owner = {
	    .deadline = no_deadline, .woken = no_deadline, .context = r};
	struct redis_address *a = &r->asking_address;

	if (r->asking) {
		if (strcmp(a->host, host) != 0 || a->port != port || !redis_link_is_up(r->asking))
			redis_link_moved(r->asking, host, port);
		return;
	}
	*a = (struct redis_address){
	    .kind = REDIS_CLUSTER,
	    .host = g_strdup(host),
	    .port = port,
	    .user = g_strdup(r->address.user),
	    .password = g_strdup(r->address.password),
	    .tls = redis_tls_ref(r->address.tls),
	};
	r->asking =
	    redis_link_new(a, redis_scripts, true, redis_link_clock_offset(r->link), &owner);
	redis_link_beside(r->link, r->asking);
}

static bool
send_again(struct redis_op *op)
{
	return op->tries++ < REDIS_TRIES &&
	       (op->update ? redis_update_again(op) : op->argv && redis_op_send_argv(op));
}

bool
redis_op_redirected(struct redis_op *op, const redisReply *reply)
{
	struct store_redis *r = op->redis;
	bool error = reply && reply->type == REDIS_REPLY_ERROR;
	bool moved = error && g_str_has_prefix(reply->str, "MOVED ");
	bool ask = error && g_str_has_prefix(reply->str, "ASK ");
	g_autofree char *host = NULL;
	int port;

	if (r->address.kind != REDIS_CLUSTER)
		return false;
	if ((moved || ask) && !parse(r, reply->str, &host, &port))
		return false;
	if (moved && !op->moved) {
		mark_all(r);
		redis_link_moved(r->link, host, port);
	} else if (ask) {
		open_asking(r, host, port);
		op->ask = true;
	} else if (error && g_str_has_prefix(reply->str, "TRYAGAIN")) {
		op->alone = true;
		op->writing = op->update == store_add_deltas;
	} else if (!moved && !(op->moved && !reply)) {
		return false;
	}
	op->moved = false;
	/* Nothing was done of it. */
	return send_again(op) || redis_op_park(op);
}
