#include "config.h"

#include "policyd/http/words.h"

#include <math.h>

#include "lib/chart.h"

char *
words_duration(double seconds)
{
	static const struct {
		double size, part;
		const char *name, *part_name;
	} units[] = {{86400, 3600, "d", "h"}, {3600, 60, "h", "min"}, {60, 1, "min", "s"}};
	double whole = floor(seconds + 0.5);

	for (size_t i = 0; i < G_N_ELEMENTS(units); i++) {
		int n = (int)(whole / units[i].size);
		int rest = (int)((whole - n * units[i].size) / units[i].part);

		if (n > 0 && rest > 0)
			return g_strdup_printf("%d\xc2\xa0%s %d\xc2\xa0%s", n, units[i].name, rest,
			    units[i].part_name);
		if (n > 0)
			return g_strdup_printf("%d\xc2\xa0%s", n, units[i].name);
	}
	if (seconds >= 1 || seconds == 0)
		return g_strdup_printf("%d\xc2\xa0s", (int)whole);
	if (seconds >= 0.0009995)
		return g_strdup_printf("%.1f\xc2\xa0ms", seconds * 1e3);
	return g_strdup_printf("%.0f\xc2\xa0\xc2\xb5s", seconds * 1e6);
}

void
words_duration_or_dash(GString *out, double seconds)
{
	g_autofree char *text = isnan(seconds) ? NULL : words_duration(seconds);

	chart_escape(out, text ? text : "\xe2\x80\x93");
}

char *
words_format_time(int64_t at, const char *format)
{
	g_autoptr(GDateTime) time = g_date_time_new_from_unix_utc(at);
	char *text = time ? g_date_time_format(time, format) : NULL;

	return text ? text : g_strdup("?");
}

void
words_time(GString *out, int64_t at, const char *format)
{
	g_autofree char *text = words_format_time(at, format);
	g_autofree char *moment = words_format_time(at, "%Y-%m-%dT%H:%M:%SZ");

	g_string_append_printf(out, "<time datetime=\"%s\">", moment);
	chart_escape(out, text);
	g_string_append(out, "</time>");
}

void
words_date(GString *out, int64_t at)
{
	g_autofree char *text = words_format_time(at, "%-d %b");

	chart_escape(out, text);
}

void
words_time_or_never(GString *out, int64_t at)
{
	if (at)
		words_time(out, at, "%-d %b %H:%M UTC");
	else
		g_string_append(out, "not yet");
}

void
words_stat(GString *out, const char *name, uint64_t n)
{
	g_string_append_printf(out, "<span data-stat=\"%s\">", name);
	chart_number(out, n);
	g_string_append(out, "</span>");
}
