/*
 * Pages for people, drawn on the server: charts as inline SVG, each with a table of the same
 * numbers for those who do not see it, and the words and numbers round them. No attribute has a
 * style; colours are classes of the stylesheet (lib/page.css), which a page holds in an element
 * of its own. Labels are text of the page, not of the picture, so that they keep their size
 * whatever the picture's width.
 */
#ifndef GREYLAG_LIB_CHART_H
#define GREYLAG_LIB_CHART_H

#include <stdbool.h>
#include <stdint.h>
#include <glib.h>

#define CHART_SERIES_MAX  4
#define CHART_COLUMNS_MAX 64
#define CHART_TICKS_MAX   16

/* The stylesheet of every page with charts. */
extern const char chart_style[];

enum chart_shape {
	CHART_STACKED, /* columns, with the series one upon the other */
	CHART_BESIDE,  /* columns, with the series side by side */
	CHART_LINES,   /* a line a series, from the first column at the left edge to the last */
};

/* Texts are the program's own; they are escaped all the same. */
struct chart_series {
	const char *name, *css_class; /* the class without its "s-", "l-" or "d-" */
	double values[CHART_COLUMNS_MAX];
};

struct chart_mark {
	const char *name;
	double at; /* in columns: 2.5 is the middle of the third; negative for none */
};

struct chart {
	const char *id, *title, *note; /* of the figure; NOTE may be NULL */
	const char *description;       /* what the picture says, for those who do not see it */
	const char *nothing;           /* said in its place where there is nothing to draw */
	const char *column;            /* what a column is: "Hour" */
	const char *unit;              /* after the numbers, "" for none */
	enum chart_shape shape;
	unsigned digits; /* of numbers, after the point */
	bool powers;     /* the axis goes by powers of ten, and has a step for nothing at all */
	unsigned n_columns, n_series, n_marks;
	double top;     /* of the axis; 0: as the values need */
	int64_t hour_0; /* of the first column, if they are hours since 1970 in UTC; else 0 */
	char labels[CHART_COLUMNS_MAX][32];
	unsigned n_ticks; /* labels below the axis: evenly spaced edges, as TICKS has them */
	char ticks[CHART_TICKS_MAX][32];
	struct chart_series series[CHART_SERIES_MAX];
	struct chart_mark marks[2];
};

/* Appends a card with the chart to CARDS; if no value is above zero (known, where TOP is given),
 * or there are not two points for a line, a line of text to EMPTY instead. */
void chart_card(const struct chart *chart, const char *css_class, GString *cards, GString *empty);

/* The line of text in the place of a card that has nothing to show. TEXT is HTML. */
void chart_line(GString *out, const char *title, const char *text);

/* The smallest of 1, 2, 4, 6, 8, 10, 20, 40 ... that is not below VALUE. */
double chart_round_up(double value);

/* A horizontal bar of the share VALUE / TOP. */
void chart_bar(GString *out, double value, double top, const char *css_class);

/* Appends text as HTML; bytes that are not UTF-8 are replaced. */
void chart_escape(GString *out, const char *text);

/* Appends a name, path or address as code, which goes over lines where its parts meet. */
void chart_name(GString *out, const char *name);

/* Appends a whole number in groups of three. */
void chart_number(GString *out, uint64_t number);

/* Begins and ends a table that scrolls by itself where it is too wide. ID is the heading's that
 * names it; of HEADS, which end with NULL, all but the first stand above numbers. */
void chart_table_begin(GString *out, const char *id, const char *const *heads);
void chart_table_end(GString *out);

#endif
