#include "config.h"

#include "db/redis/find.h"

#include <string.h>

unsigned
redis_slot(const char *tag)
{
	unsigned crc = 0;

	for (; *tag; tag++) {
		crc ^= (unsigned)(unsigned char)*tag << 8;
		for (int bit = 0; bit < 8; bit++)
			crc = crc & 0x8000 ? (crc << 1 ^ 0x1021) & 0xffff : crc << 1 & 0xffff;
	}
	return crc % REDIS_SLOTS;
}

char **
redis_find_question(const struct redis_address *address)
{
	const char *sentinel[] = {"SENTINEL", "get-master-addr-by-name", address->service, NULL};
	const char *cluster[] = {"CLUSTER", "SLOTS", NULL};

	return g_strdupv((char **)(address->kind == REDIS_SENTINEL ? sentinel : cluster));
}

char **
redis_find_login(const struct redis_address *address)
{
	bool cluster = address->kind == REDIS_CLUSTER;
	const char *password = cluster ? address->password : address->sentinel_password;
	const char *with_user[] = {"AUTH", address->user, password, NULL};
	const char *without[] = {"AUTH", password, NULL};

	if (!password)
		return NULL;
	return g_strdupv((char **)(cluster && address->user ? with_user : without));
}

static bool
take_node(const redisReply *host, const redisReply *port, const struct redis_guide *guide,
    char **ret_host, int *ret_port)
{
	gint64 number = port->type == REDIS_REPLY_INTEGER  ? port->integer
			: port->type == REDIS_REPLY_STRING ? g_ascii_strtoll(port->str, NULL, 10)
							   : 0;

	if (number < 1 || number > 65535)
		return false;
	/* A node that does not know its own address names none: it is the one that was asked. */
	*ret_host =
	    g_strdup(host->type == REDIS_REPLY_STRING && host->len ? host->str : guide->host);
	*ret_port = (int)number;
	return true;
}

static bool
has_slot(const redisReply *range, unsigned slot)
{
	return range->type == REDIS_REPLY_ARRAY && range->elements >= 3 &&
	       range->element[0]->type == REDIS_REPLY_INTEGER &&
	       range->element[1]->type == REDIS_REPLY_INTEGER &&
	       range->element[0]->integer <= slot && slot <= range->element[1]->integer &&
	       range->element[2]->type == REDIS_REPLY_ARRAY && range->element[2]->elements >= 2;
}

bool
redis_find_answer(const struct redis_address *address, const struct redis_guide *guide,
    unsigned slot, const redisReply *reply, char **ret_host, int *ret_port)
{
	if (!reply || reply->type != REDIS_REPLY_ARRAY)
		return false;
	if (address->kind == REDIS_SENTINEL)
		return reply->elements == 2 &&
		       take_node(reply->element[0], reply->element[1], guide, ret_host, ret_port);
	for (size_t i = 0; i < reply->elements; i++) {
		const redisReply *range = reply->element[i];

		if (has_slot(range, slot))
			return take_node(range->element[2]->element[0],
			    range->element[2]->element[1], guide, ret_host, ret_port);
	}
	return false;
}

bool
redis_find_is_master(const redisReply *reply)
{
	return reply && reply->type == REDIS_REPLY_ARRAY && reply->elements &&
	       reply->element[0]->type == REDIS_REPLY_STRING &&
	       strcmp(reply->element[0]->str, "master") == 0;
}
