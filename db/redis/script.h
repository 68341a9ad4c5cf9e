/* The scripts that run inside the server. Private to the Redis driver. */
#ifndef GREYLAG_DB_REDIS_SCRIPT_H
#define GREYLAG_DB_REDIS_SCRIPT_H

enum redis_script {
	REDIS_SCRIPT_CHANGE,
	REDIS_SCRIPT_FIELDS,
	REDIS_SCRIPT_SCAN,
	REDIS_SCRIPT_RANGE,
	REDIS_SCRIPT_BUCKETS,
	REDIS_SCRIPT_COUNT,
	REDIS_SCRIPTS,
};

/* Ends with NULL. */
extern const char *const redis_scripts[REDIS_SCRIPTS + 1];

#endif
