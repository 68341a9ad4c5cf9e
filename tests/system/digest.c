/* The digest by which the store names a message: digest OWN-HOST... <message */
#include "config.h"

#include <stdio.h>
#include <glib.h>

#include "classifier/mail/canonical.h"

int
main(int argc, char **argv)
{
	g_autoptr(GIOChannel) in = g_io_channel_unix_new(0);
	g_autofree char *bytes = NULL;
	gsize length = 0;
	struct canonical canonical;

	g_io_channel_set_encoding(in, NULL, NULL);
	if (g_io_channel_read_to_end(in, &bytes, &length, NULL) != G_IO_STATUS_NORMAL)
		return 1;
	canonical_read((const uint8_t *)bytes, length,
	    argc > 1 ? (const char *const *)argv + 1 : NULL, 8 << 20, &canonical);
	for (size_t i = 0; i < CANONICAL_DIGEST_SIZE; i++)
		printf("%02x", canonical.digest[i]);
	printf("\n");
	canonical_clear(&canonical);
	return 0;
}
