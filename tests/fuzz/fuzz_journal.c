/*
 * What is read back of a store's journal, and where a server is said to be: deltas that decode are
 * the same when they are encoded and decoded again; an address is understood or refused.
 */
#include "config.h"

#include <stdint.h>
#include <string.h>
#include <glib.h>

#include "db/fallback/fallback.h"
#ifdef HAVE_REDIS
#include "db/redis/uri.h"
#endif

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
try_deltas(const uint8_t *data, size_t size)
{
	struct store_bytes rest = {data, size};
	struct store_delta delta, again;
	struct store_cell *cells, *more;

	while (fallback_decode(&rest, &delta, &cells)) {
		g_autoptr(GByteArray) encoded = g_byte_array_new();
		const struct store_step step = {.space = delta.space,
		    .key = delta.key,
		    .cells = cells,
		    .n_cells = delta.n_cells,
		    .expires = delta.expires};
		struct store_bytes bytes;

		fallback_encode(&step, encoded);
		bytes = (struct store_bytes){encoded->data, encoded->len};
		g_assert_true(fallback_decode(&bytes, &again, &more));
		g_assert_cmpuint(bytes.length, ==, 0);
		g_assert_cmpuint(again.key.length, ==, delta.key.length);
		g_assert_true(memcmp(again.key.data, delta.key.data, delta.key.length) == 0);
		g_assert_cmpuint(again.n_cells, ==, delta.n_cells);
		for (size_t i = 0; i < delta.n_cells; i++)
			g_assert_true(more[i].index == cells[i].index &&
				      more[i].op == cells[i].op && more[i].delta == cells[i].delta);
		g_free(cells);
		g_free(more);
	}
}

#ifdef HAVE_REDIS
static void
try_address(const uint8_t *data, size_t size)
{
	g_autofree char *text = g_strndup((const char *)data, size);

	/* A password file is read in the parsing: not by what comes here. */
	if (strstr(text, "password_file"))
		return;
	for (unsigned kind = 0; kind < REDIS_KINDS; kind++) {
		struct redis_address address;
		g_autoptr(GError) error = NULL;

		if (!redis_address_parse((enum redis_kind)kind, text, &address, &error)) {
			g_assert_nonnull(error);
			continue;
		}
		g_assert_true(
		    address.path || address.host || (address.guides && address.guides->len > 0));
		redis_address_clear(&address);
	}
}
#endif

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	try_deltas(data, size);
#ifdef HAVE_REDIS
	try_address(data, size);
#endif
	return 0;
}
