/*
 * Runs a fuzz target without libFuzzer: over each file of the corpus folder whole, cut short at a
 * bounded number of lengths, and with bytes changed by a seeded generator. Speaks TAP, a line a
 * file; a target that finds something aborts.
 *
 *	fuzz_NAME [FOLDER]
 *
 * FOLDER is by default $top_srcdir/tests/fuzz/corpus/NAME.
 */
#include "config.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <glib.h>

#define CUTS      64
#define MUTATIONS 400

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A copy of exactly the size, so that a sanitizer sees a read past the end. */
static void
run_once(const uint8_t *data, size_t size)
{
	g_autofree uint8_t *copy = g_memdup2(data, size);

	LLVMFuzzerTestOneInput(copy ? copy : (const uint8_t *)"", size);
}

static void
run_cut(const uint8_t *data, size_t size)
{
	size_t step = size / CUTS + 1;

	for (size_t length = 0; length < size; length += step)
		run_once(data, length);
}

static size_t
random_below(GRand *random, size_t bound)
{
	return bound ? g_rand_int(random) % bound : 0;
}

/* One to four changes: a byte set, a bit flipped, a piece removed, a piece doubled. */
static void
mutate(GRand *random, GByteArray *bytes)
{
	static const char interesting[] = "\0\n\r=@.+-#<>[\"\xff";

	for (size_t changes = 1 + random_below(random, 4); changes > 0 && bytes->len > 0;
	     changes--) {
		size_t at = random_below(random, bytes->len);
		size_t length = 1 + random_below(random, MIN(bytes->len - at, 32U));
		switch (random_below(random, 5)) {
		case 0: bytes->data[at] = (uint8_t)g_rand_int(random); break;
		case 1: bytes->data[at] ^= (uint8_t)(1U << random_below(random, 8)); break;
		case 2: g_byte_array_remove_range(bytes, (guint)at, (guint)length); break;
		case 3: {
			g_autofree uint8_t *piece = g_memdup2(bytes->data + at, length);
			g_byte_array_append(bytes, piece, (guint)length);
			break;
		}
		default:
			bytes->data[at] =
			    (uint8_t)interesting[random_below(random, sizeof interesting - 1)];
		}
	}
}

static void
run_mutated(const uint8_t *data, size_t size)
{
	g_autoptr(GRand) random = g_rand_new_with_seed(6647);

	for (unsigned i = 0; i < MUTATIONS; i++) {
		g_autoptr(GByteArray) bytes = g_byte_array_new();
		g_byte_array_append(bytes, data, (guint)size);
		mutate(random, bytes);
		run_once(bytes->data, bytes->len);
	}
}

static char *
default_folder(const char *program)
{
	const char *top = g_getenv("top_srcdir");
	const char *name = strstr(program, "fuzz_");

	for (const char *next = name; next; next = strstr(next + 1, "fuzz_"))
		name = next;
	return g_build_filename(
	    top ? top : ".", "tests", "fuzz", "corpus", name ? name + 5 : program, NULL);
}

static int
compare_names(gconstpointer a, gconstpointer b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static GPtrArray *
list_files(const char *folder, GError **error)
{
	g_autoptr(GDir) dir = g_dir_open(folder, 0, error);
	GPtrArray *files;
	const char *name;

	if (!dir)
		return NULL;
	files = g_ptr_array_new_with_free_func(g_free);
	while ((name = g_dir_read_name(dir)))
		g_ptr_array_add(files, g_strdup(name));
	g_ptr_array_sort(files, compare_names);
	return files;
}

int
main(int argc, char **argv)
{
	g_autofree char *folder = argc > 1 ? g_strdup(argv[1]) : default_folder(argv[0]);
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) files = list_files(folder, &error);

	if (!files || files->len == 0) {
		printf("Bail out! %s\n", error ? error->message : "no corpus");
		return EXIT_FAILURE;
	}
	printf("1..%u\n", files->len);
	for (guint i = 0; i < files->len; i++) {
		g_autofree char *path = g_build_filename(folder, files->pdata[i], NULL);
		g_autofree char *data = NULL;
		size_t size;
		if (!g_file_get_contents(path, &data, &size, &error)) {
			printf("Bail out! %s\n", error->message);
			return EXIT_FAILURE;
		}
		run_once((uint8_t *)data, size);
		run_cut((uint8_t *)data, size);
		run_mutated((uint8_t *)data, size);
		printf("ok %u - %s\n", i + 1, (char *)files->pdata[i]);
		fflush(stdout);
	}
	return EXIT_SUCCESS;
}
