#include "config.h"

#include <string.h>
#include <glib.h>
#include "classifier/mail/html.h"

static const struct row {
	const char *name, *html, *visible, *hidden, *links;
} rows[] = {
    {"inline-does-not-cut", "vi<b></b>ag<font size=1>r</font>a", "viagra", "", ""},
    {"comment-does-not-cut", "vi<!-- x -->agra", "viagra", "", ""},
    {"unknown-element-does-not-cut", "vi<xq>agra", "viagra", "", ""},
    {"text-in-nothing", "<b>vi</b>agra", "viagra", "", ""},
    {"block-cuts", "<p>one</p><p>two<br>three<td>four", "one two three four", "", ""},
    {"entities", "&#86;i&#x61;gra &eacute; &amp;", "Viagra \303\251 &", "", ""},
    {"style-and-script-out", "a<style>p{/* </p> */}</style><script>x='<b>'</script>b", "a b", "",
	""},
    {"title-is-seen", "<head><title>T</title></head><body>b", "T b", "", ""},
    {"display-none", "a<span style='display:none'>x</span>b", "ab", "x", ""},
    {"css-comment", "a<span style='dis/**/play : NONE'>x</span>b", "ab", "x", ""},
    {"hidden-goes-on-inside", "<div style='display:none'>x<b>y</b></div>b", "b", "x y", ""},
    {"font-size-zero", "a<i style='color:red;font-size:0'>x</i>", "a", "x", ""},
    {"font-size-one-pixel", "a<i style='font-size: 1px'>x</i>", "a", "x", ""},
    {"font-size-one-em", "a<i style='font-size:1em'>x</i>", "ax", "", ""},
    {"opacity-zero", "a<i style='opacity:0'>x</i>b", "ab", "x", ""},
    {"white-on-white", "a<font color=white>x</font>b", "ab", "x", ""},
    {"nearly-background", "<body bgcolor='#eeeeee'>a<font color='#f0f0f0'>x</font>", "a", "x", ""},
    {"rgb-on-background", "<p style='background-color:rgb(0, 0, 0);color:#010101'>x", "", "x", ""},
    {"white-on-black", "<td bgcolor=black><font color='#FFFFFF'>a</font>", "a", "", ""},
    {"hidden-attribute", "a<div hidden>x</div>b", "a b", "x", ""},
    {"links", "<a href='http://a/x'>t</a><img src=\"HTTPS://b/\"><form action=//c/d>", "t", "",
	"http://a/x HTTPS://b/ //c/d"},
    {"link-entities-and-line-ends", "<a href='http://a/?x&amp;y\n=1'>t", "t", "",
	"http://a/?x&y=1"},
    {"relative-links-out", "<a href='page.html'>t", "t", "", ""},
    {"refresh", "<meta http-equiv=refresh content='0;url=http://a/'>t", "t", "", "http://a/"},
    {"alternative-text", "a<img alt='seen'>b", "a seen b", "", ""},
    {"unclosed-comment", "a<!-- b", "a", "", ""},
    {"lone-brackets", "1 < 2 and 3 > 2", "1 < 2 and 3 > 2", "", ""},
};

/* White space runs as one space, none at the ends. */
static char *
squeeze(const GString *text)
{
	g_auto(GStrv) words = g_strsplit_set(text->str, " \n\t", -1);
	g_autoptr(GString) out = g_string_new(NULL);
	for (char **word = words; *word; word++)
		if (**word)
			g_string_append_printf(out, "%s%s", out->len ? " " : "", *word);
	return g_strdup(out->str);
}

static void
sink_init(struct html_sink *sink)
{
	*sink = (struct html_sink){.visible = g_string_new(NULL),
	    .hidden = g_string_new(NULL),
	    .links_text = g_string_new(NULL),
	    .links = g_array_new(FALSE, FALSE, sizeof(struct html_link))};
}

static void
sink_clear(struct html_sink *sink)
{
	g_string_free(sink->visible, TRUE);
	g_string_free(sink->hidden, TRUE);
	g_string_free(sink->links_text, TRUE);
	g_array_free(sink->links, TRUE);
}

static char *
join_links(const struct html_sink *sink)
{
	GString *out = g_string_new(NULL);
	for (unsigned i = 0; i < sink->links->len; i++) {
		const struct html_link *link = &g_array_index(sink->links, struct html_link, i);
		g_string_append_printf(out, "%s%.*s", i ? " " : "", (int)link->length,
		    sink->links_text->str + link->offset);
	}
	return g_string_free(out, FALSE);
}

static void
test_row(gconstpointer data)
{
	const struct row *row = data;
	struct html_sink sink;
	sink_init(&sink);
	html_read(row->html, strlen(row->html), &sink);
	g_autofree char *visible = squeeze(sink.visible), *hidden = squeeze(sink.hidden);
	g_autofree char *links = join_links(&sink);
	g_assert_cmpstr(visible, ==, row->visible);
	g_assert_cmpstr(hidden, ==, row->hidden);
	g_assert_cmpstr(links, ==, row->links);
	g_assert_false(sink.cut);
	sink_clear(&sink);
}

static void
test_tags(void)
{
	struct html_sink sink;
	sink_init(&sink);
	html_read("<FORM><img></FORM>", 18, &sink);
	for (unsigned i = 0; html_tag_name(i); i++) {
		bool used = !strcmp(html_tag_name(i), "form") || !strcmp(html_tag_name(i), "img");
		g_assert_cmpint(sink.tags >> i & 1, ==, used);
		if (i)
			g_assert_cmpstr(html_tag_name(i - 1), <, html_tag_name(i));
	}
	sink_clear(&sink);
}

static void
test_deep(void)
{
	g_autoptr(GString) html = g_string_new(NULL);
	for (int i = 0; i < 100000; i++)
		g_string_append(html, "<b>");
	g_string_append(html, "<p>still</p> read");
	struct html_sink sink;
	sink_init(&sink);
	html_read(html->str, html->len, &sink);
	g_autofree char *visible = squeeze(sink.visible);
	g_assert_true(sink.cut);
	g_assert_cmpstr(visible, ==, "still read");
	sink_clear(&sink);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *path =
		    g_strdup_printf("/html/as-its-reader-sees-it/%s", rows[i].name);
		g_test_add_data_func(path, &rows[i], test_row);
	}
	g_test_add_func("/html/knows-its-elements", test_tags);
	g_test_add_func("/html/text-below-the-depth-limit-is-not-lost", test_deep);
	return g_test_run();
}
