#include "config.h"

#include "policyd/http/assets.h"

#include <string.h>
#include <glib.h>

#include "lib/chart.h"

const char http_style[] =
#include "policyd/http/page.cssi"
    ;

const char http_script[] =
#include "policyd/http/page.jsi"
    ;

static char *
digest(const char *text)
{
	g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
	guint8 bytes[32];
	gsize length = sizeof bytes;

	g_checksum_update(sum, (const guchar *)text, (gssize)strlen(text));
	g_checksum_get_digest(sum, bytes, &length);
	return g_base64_encode(bytes, length);
}

char *
http_assets_policy(void)
{
	g_autofree char *base = digest(chart_style), *style = digest(http_style);
	g_autofree char *script = digest(http_script);

	return g_strdup_printf("default-src 'none'; style-src 'sha256-%s' 'sha256-%s'; "
			       "script-src 'sha256-%s'; connect-src 'self'; img-src data:; "
			       "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
	    base, style, script);
}
