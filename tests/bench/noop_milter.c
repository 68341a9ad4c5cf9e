/*
 * The floor under a milter: as much of libmilter as greylag-milter uses, and nothing done. Listens
 * at the socket named on its command line in libmilter's way.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <libmilter/mfapi.h>

#define PROTOCOL                                                                                   \
	(SMFIP_NODATA | SMFIP_NOUNKNOWN | SMFIP_SKIP | SMFIP_HDR_LEADSPC | SMFIP_NR_HELO |         \
	    SMFIP_NR_MAIL | SMFIP_NR_RCPT | SMFIP_NR_HDR | SMFIP_NR_EOH)

static sfsistat
on_negotiate(SMFICTX *ctx, unsigned long actions, unsigned long protocol, unsigned long f2,
    unsigned long f3, unsigned long *ret_actions, unsigned long *ret_protocol,
    unsigned long *ret_f2, unsigned long *ret_f3)
{
	(void)ctx;
	(void)f2;
	(void)f3;
	*ret_actions = actions & (SMFIF_ADDHDRS | SMFIF_CHGHDRS);
	*ret_protocol = protocol & PROTOCOL;
	*ret_f2 = *ret_f3 = 0;
	return SMFIS_CONTINUE;
}

static sfsistat
on_connect(SMFICTX *ctx, char *host, struct sockaddr *from)
{
	(void)ctx;
	(void)host;
	(void)from;
	return SMFIS_CONTINUE;
}

static sfsistat
on_text(SMFICTX *ctx, char *text)
{
	(void)ctx;
	(void)text;
	return SMFIS_NOREPLY;
}

static sfsistat
on_address(SMFICTX *ctx, char **arguments)
{
	(void)ctx;
	(void)arguments;
	return SMFIS_NOREPLY;
}

static sfsistat
on_field(SMFICTX *ctx, char *name, char *value)
{
	(void)ctx;
	(void)name;
	(void)value;
	return SMFIS_NOREPLY;
}

static sfsistat
on_end_of_header(SMFICTX *ctx)
{
	(void)ctx;
	return SMFIS_NOREPLY;
}

static sfsistat
on_body(SMFICTX *ctx, unsigned char *bytes, size_t length)
{
	(void)ctx;
	(void)bytes;
	(void)length;
	return SMFIS_CONTINUE;
}

static sfsistat
on_end_of_message(SMFICTX *ctx)
{
	smfi_insheader(ctx, 0, (char *)"X-Greylag", (char *)" nothing was done");
	return SMFIS_CONTINUE;
}

int
main(int argc, char **argv)
{
	struct smfiDesc filter = {
	    .xxfi_name = (char *)"noop",
	    .xxfi_version = SMFI_VERSION,
	    .xxfi_flags = SMFIF_ADDHDRS | SMFIF_CHGHDRS,
	    .xxfi_negotiate = on_negotiate,
	    .xxfi_connect = on_connect,
	    .xxfi_helo = on_text,
	    .xxfi_envfrom = on_address,
	    .xxfi_envrcpt = on_address,
	    .xxfi_header = on_field,
	    .xxfi_eoh = on_end_of_header,
	    .xxfi_body = on_body,
	    .xxfi_eom = on_end_of_message,
	};

	if (argc != 2 || smfi_register(filter) != MI_SUCCESS ||
	    smfi_setconn(argv[1]) != MI_SUCCESS) {
		fprintf(stderr, "usage: noop_milter inet:PORT@HOST\n");
		return 2;
	}
	return smfi_main() == MI_SUCCESS ? 0 : 1;
}
