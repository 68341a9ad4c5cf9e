#include "config.h"

#include "policyd/ctl/table.h"

#include <stdio.h>
#include <glib.h>

/* Between columns. */
#define GAP 2

struct cell {
	char *text;
	enum terminal_style style;
};

struct ctl_table {
	struct terminal terminal;
	const char *const *titles;
	guint n_columns, column;
	GArray *cells; /* struct cell; of rows that are not printed yet */
	size_t *widths;
	bool begun; /* the header is printed */
	uint64_t rows;
};

static void
clear_cell(gpointer data)
{
	struct cell *cell = data;

	g_free(cell->text);
}

struct ctl_table *
ctl_table_new(const char *const *titles)
{
	struct ctl_table *table = g_new0(struct ctl_table, 1);

	table->terminal = terminal_of(stdout);
	table->titles = titles;
	while (titles[table->n_columns])
		table->n_columns++;
	table->widths = g_new0(size_t, table->n_columns);
	for (guint i = 0; i < table->n_columns; i++)
		table->widths[i] = terminal_columns(titles[i]);
	table->cells = g_array_new(FALSE, FALSE, sizeof(struct cell));
	g_array_set_clear_func(table->cells, clear_cell);
	return table;
}

void
ctl_table_styled(struct ctl_table *table, enum terminal_style style, const char *text)
{
	bool last = table->column + 1 == table->n_columns;
	struct cell cell = {.style = style};

	if (table->terminal.is_terminal) {
		cell.text = g_strdup(text);
		g_array_append_val(table->cells, cell);
	} else {
		printf("%s%c", text, last ? '\n' : '\t');
	}
	table->rows += last;
	table->column = last ? 0 : table->column + 1;
}

void
ctl_table_cell(struct ctl_table *table, const char *text)
{
	ctl_table_styled(table, TERMINAL_PLAIN, text);
}

void
ctl_table_number(struct ctl_table *table, int64_t number)
{
	char text[24];

	g_snprintf(text, sizeof text, "%" G_GINT64_FORMAT, number);
	ctl_table_cell(table, text);
}

static void
print_cell(const struct ctl_table *table, guint column, enum terminal_style style, const char *text)
{
	bool last = column + 1 == table->n_columns;
	int padding = last ? 0 : (int)(table->widths[column] - terminal_columns(text)) + GAP;

	printf("%s%s%s%*s%s", terminal_begin(&table->terminal, style), text,
	    terminal_end(&table->terminal, style), padding, "", last ? "\n" : "");
}

void
ctl_table_flush(struct ctl_table *table)
{
	for (guint i = 0; i < table->cells->len; i++) {
		size_t *width = &table->widths[i % table->n_columns];

		*width =
		    MAX(*width, terminal_columns(g_array_index(table->cells, struct cell, i).text));
	}
	for (guint i = 0; table->cells->len && !table->begun && i < table->n_columns; i++)
		print_cell(table, i, TERMINAL_TITLE, table->titles[i]);
	table->begun |= table->cells->len > 0;
	for (guint i = 0; i < table->cells->len; i++) {
		const struct cell *cell = &g_array_index(table->cells, struct cell, i);

		print_cell(table, i % table->n_columns, cell->style, cell->text);
	}
	g_array_set_size(table->cells, 0);
}

uint64_t
ctl_table_rows(const struct ctl_table *table)
{
	return table->rows;
}

void
ctl_table_free(struct ctl_table *table)
{
	if (!table)
		return;
	ctl_table_flush(table);
	g_array_unref(table->cells);
	g_free(table->widths);
	g_free(table);
}
