/*
 * Charts as inline SVG, drawn on the server: stacked columns over labels, with a table of the
 * same numbers for those who do not see them. No attribute has a style; colours are classes.
 */
#ifndef GREYLAG_POLICYD_HTTP_CHART_H
#define GREYLAG_POLICYD_HTTP_CHART_H

#include <stdint.h>
#include <glib.h>

#define CHART_SERIES_MAX  4
#define CHART_COLUMNS_MAX 64

/* Texts are the program's own; they are escaped all the same. */
struct chart_series {
	const char *name, *css_class; /* the class without its "s-" or "d-" */
	double values[CHART_COLUMNS_MAX];
};

struct chart_mark {
	const char *name;
	double at; /* in columns: 2.5 is the middle of the third; negative for none */
};

struct chart {
	const char *id, *title, *note; /* of the figure; NOTE may be NULL */
	const char *description;       /* what the picture says, for those who do not see it */
	const char *column;            /* what a column is: "Hour" */
	const char *unit;              /* after the numbers of the axis, "" for none */
	unsigned n_columns, n_series, n_marks;
	double top; /* of the axis; 0: as the values need */
	char labels[CHART_COLUMNS_MAX][32];
	unsigned n_ticks; /* labels below the axis: evenly spaced edges, as TICKS has them */
	char ticks[8][32];
	struct chart_series series[CHART_SERIES_MAX];
	struct chart_mark marks[2];
};

void chart_render(const struct chart *chart, GString *out);

/* The smallest of 1, 2, 4, 6, 8, 10, 20, 40 ... that is not below VALUE. */
double chart_round_up(double value);

/* A horizontal bar of the share VALUE / TOP. */
void chart_bar(GString *out, double value, double top, const char *css_class);

/* Appends text as HTML; bytes that are not UTF-8 are replaced. */
void chart_escape(GString *out, const char *text);

/* Appends a whole number in groups of three. */
void chart_number(GString *out, uint64_t number);

#endif
