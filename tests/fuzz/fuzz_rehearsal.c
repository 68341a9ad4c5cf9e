/* Any bytes as a remembered message: refused, or slots in order that are written as they were. */
#include "config.h"

#include <string.h>
#include <glib.h>
#include "classifier/model/rehearsal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct features features, again;
	if (!rehearsal_decode(data, size, &features))
		return 0;
	for (unsigned voice = 0; voice < VOICES; voice++) {
		const struct slots *slots = &features.voices[voice];
		for (size_t i = 0; i < slots->count; i++) {
			g_assert_cmpuint(slots->list[i], <, NGRAMS_SLOTS);
			g_assert_true(i == 0 || slots->list[i - 1] < slots->list[i]);
		}
	}
	g_autoptr(GByteArray) bytes = g_byte_array_new();
	rehearsal_encode(&features, bytes);
	g_assert_cmpuint(bytes->len, <=, size);
	g_assert_true(rehearsal_decode(bytes->data, bytes->len, &again));
	for (unsigned voice = 0; voice < VOICES; voice++)
		g_assert_cmpuint(slots_checksum(&features.voices[voice]), ==,
		    slots_checksum(&again.voices[voice]));
	features_clear(&again);
	features_clear(&features);
	return 0;
}
