/*
 * Who has the server now: a guide (a sentinel, or any node of a cluster) is asked with one command.
 * Private to the Redis driver.
 */
#ifndef GREYLAG_DB_REDIS_FIND_H
#define GREYLAG_DB_REDIS_FIND_H

#include <hiredis/hiredis.h>

#include "db/redis/uri.h"

/* Slots of a cluster, by the key's hash tag. */
#define REDIS_SLOTS 16384

/* CRC16 (XMODEM) of the tag modulo the slots, as the cluster specification has it. */
unsigned redis_slot(const char *tag);

/* The words of the question; ends with NULL. To be freed with g_strfreev(). */
char **redis_find_question(const struct redis_address *address);

/* The login that guides want before it, or NULL. To be freed with g_strfreev(). */
char **redis_find_login(const struct redis_address *address);

/* Takes the server's place from the answer of GUIDE, into HOST (to be freed) and PORT. SLOT is
 * that of a cluster's key. False if the guide does not know. */
bool redis_find_answer(const struct redis_address *address, const struct redis_guide *guide,
    unsigned slot, const redisReply *reply, char **ret_host, int *ret_port);

/* The answer to ROLE: whether the server is one that takes writes. */
bool redis_find_is_master(const redisReply *reply);

#endif
