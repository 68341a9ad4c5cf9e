/*
 * The records of other greylisting servers, from the text of their dumps. Pure.
 *
 * postgrey (1.37): a Berkeley DB of NETWORK/SENDER/RECIPIENT -> FIRST,LAST, and one of
 * ADDRESS -> PASSES,LAST, as db_dump(1) prints them. It does not say that a triplet has passed:
 * one has if LAST is at least the delay after FIRST.
 *
 * greyfix (0.4): the lines of --dump-triplets, tab-separated: address, sender, recipient, first
 * and last time as ctime(3) writes them in local time, attempts that were blocked, deliveries.
 */
#ifndef GREYLAG_POLICYD_CTL_FOREIGN_H
#define GREYLAG_POLICYD_CTL_FOREIGN_H

#include <stdbool.h>
#include <stdint.h>
#include <glib.h>

#include "policyd/ctl/json.h"
#include "policyd/decide/greylist.h"

struct foreign {
	int64_t delay; /* of the other server, in seconds */
	bool privacy;  /* addresses are to be hashed */
	const struct greylist_rules *rules;
	const uint8_t *hash_key;
};

#define FOREIGN_POSTGREY_DELAY 300
#define FOREIGN_GREYFIX_DELAY  3480

/* A triplet or a client, as the key says. */
bool foreign_postgrey(const struct foreign *foreign, const char *key, const char *value,
    struct ctl_record *record, GError **error);

/* True for what --privacy made of a key, which no address can be had from. */
bool foreign_postgrey_hashed(const char *key);

/* A line without its newline. */
bool foreign_greyfix(
    const struct foreign *foreign, const char *line, struct ctl_record *record, GError **error);

/* The text of db_dump, line by line: headers, then keys and values in turn. Several dumps may
 * follow each other. */
struct foreign_dump {
	bool in_data, bytevalue, have_key;
	char *key;
};

enum foreign_dump_result { FOREIGN_NOTHING, FOREIGN_PAIR, FOREIGN_ERROR };

/* A line without its newline. With FOREIGN_PAIR DUMP's key and *RET_VALUE, to be freed, are a
 * record of the database; NULs in it become spaces. */
enum foreign_dump_result foreign_dump_line(
    struct foreign_dump *dump, const char *line, char **ret_value, GError **error);
/* True at the end of a whole dump. */
bool foreign_dump_end(const struct foreign_dump *dump);
void foreign_dump_clear(struct foreign_dump *dump);

#endif
