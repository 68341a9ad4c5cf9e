#include <stdlib.h>
#include "classifier/measure.h"

static int
compare(const void *a, const void *b)
{
	double x = ((const struct measured *)a)->evidence;
	double y = ((const struct measured *)b)->evidence;
	return x < y ? -1 : x > y;
}

static double
percent(double part, double whole)
{
	return whole > 0 ? 100.0 * part / whole : 0.0;
}

/* Pairs of a spam and a ham in the wrong order, ties half. */
static double
wrong_pairs(const struct measured *list, size_t count)
{
	double wrong = 0, spam_below = 0;
	for (size_t i = 0, j; i < count; i = j) {
		double spam = 0, ham = 0;
		for (j = i; j < count && list[j].evidence <= list[i].evidence; j++) {
			spam += list[j].spam;
			ham += !list[j].spam;
		}
		wrong += ham * (spam_below + spam / 2);
		spam_below += spam;
	}
	return wrong;
}

static size_t
count_class(const struct measured *list, size_t count, bool spam)
{
	size_t n = 0;
	for (size_t i = 0; i < count; i++)
		n += list[i].spam == spam;
	return n;
}

double
measure_missed(const struct measured *list, size_t count, double loss)
{
	double spam = (double)count_class(list, count, true);
	double allowed = loss * (double)count_class(list, count, false);
	double caught = 0, lost = 0, sure = 0;
	for (size_t j = count, i; j > 0; j = i) {
		for (i = j; i > 0 && list[i - 1].evidence >= list[j - 1].evidence; i--) {
			caught += list[i - 1].spam;
			lost += !list[i - 1].spam;
		}
		if (lost > allowed)
			break;
		sure = caught;
	}
	return percent(spam - sure, spam);
}

void
measure_all(struct measured *list, size_t count, struct measure *ret_measure)
{
	double verdicts[2][3] = {{0}};
	struct measure measure = {0};
	qsort(list, count, sizeof(*list), compare);
	for (size_t i = 0; i < count; i++)
		verdicts[list[i].spam][list[i].verdict]++;
	measure.spam = count_class(list, count, true);
	measure.ham = count - measure.spam;
	double spam = (double)measure.spam, ham = (double)measure.ham;
	measure.one_minus_roca = percent(wrong_pairs(list, count), spam * ham);
	measure.ham_called_spam = percent(verdicts[0][VERDICT_SPAM], ham);
	measure.spam_caught = percent(verdicts[1][VERDICT_SPAM], spam);
	measure.spam_called_ham = percent(verdicts[1][VERDICT_HAM], spam);
	measure.unsure =
	    percent(verdicts[0][VERDICT_UNSURE] + verdicts[1][VERDICT_UNSURE], spam + ham);
	measure.missed_at_tenth = measure_missed(list, count, 0.001);
	*ret_measure = measure;
}
