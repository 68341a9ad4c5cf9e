#include "config.h"

#include <float.h>
#include <math.h>
#include "classifier/model/fisher.h"

struct fisher_options
fisher_options_default(void)
{
	return (struct fisher_options){.robs = 0.03,
	    .robx = 0.5,
	    .min_dev = 0.45,
	    .sp_esf = 1.0,
	    .ns_esf = 1.0,
	    .balanced = true};
}

struct fisher_options
fisher_options_bogofilter(void)
{
	return (struct fisher_options){
	    .robs = 0.0178, .robx = 0.52, .min_dev = 0.375, .sp_esf = 1.0, .ns_esf = 1.0};
}

double
fisher_word(
    const struct fisher_options *options, struct fisher_counts totals, struct fisher_counts counts)
{
	double n = (double)counts.spam + counts.ham;
	if (n == 0)
		return options->robx;
	/* Without any message of a class its words cannot have been seen either. */
	double all_spam = totals.spam > 0 ? totals.spam : 1;
	double all_ham = totals.ham > 0 ? totals.ham : 1;
	double spam = counts.spam * all_ham;
	double ham = counts.ham * all_spam;
	if (options->balanced)
		n = (spam + ham) / fmax(all_spam, all_ham);
	return (options->robs * options->robx + n * (spam / (spam + ham))) / (options->robs + n);
}

bool
fisher_is_used(const struct fisher_options *options, double word)
{
	return fabs(word - 0.5) > options->min_dev;
}

void
fisher_add(struct fisher_sum *sum, double word)
{
	/* With robs 0 a word may be as sure as this. */
	double f = fmin(fmax(word, DBL_EPSILON), 1.0 - DBL_EPSILON);
	sum->ln_spam += log(f);
	sum->ln_ham += log1p(-f);
	sum->used++;
}

/* ln of the regularised upper incomplete gamma function Q(a, x) for x >= a + 1, by its continued
 * fraction in Lentz' form (Press et al., Numerical Recipes, 6.2). */
static double
ln_gamma_upper_fraction(double a, double x)
{
	const double tiny = DBL_MIN / DBL_EPSILON;
	double b = x + 1.0 - a;
	double c = 1.0 / tiny;
	double d = 1.0 / b;
	double h = d;
	for (int i = 1; i < 10000; i++) {
		double an = -i * (i - a);
		b += 2.0;
		d = an * d + b;
		d = 1.0 / (fabs(d) < tiny ? tiny : d);
		c = b + an / c;
		c = fabs(c) < tiny ? tiny : c;
		h *= d * c;
		if (fabs(d * c - 1.0) < DBL_EPSILON)
			break;
	}
	return -x + a * log(x) - lgamma(a) + log(h);
}

/* The same for x < a + 1, from the series of the lower function. */
static double
ln_gamma_upper_series(double a, double x)
{
	if (x <= 0)
		return 0.0;
	double term = 1.0 / a;
	double sum = term;
	for (int i = 1; i < 100000 && term > sum * DBL_EPSILON; i++) {
		term *= x / (a + i);
		sum += term;
	}
	double lower = -x + a * log(x) - lgamma(a) + log(sum);
	return lower < 0 ? log1p(-exp(lower)) : -DBL_MAX;
}

double
fisher_ln_chi2_tail(double chi2, double degrees)
{
	double a = degrees / 2.0;
	double x = chi2 / 2.0;
	return x < a + 1.0 ? ln_gamma_upper_series(a, x) : ln_gamma_upper_fraction(a, x);
}

/* bogofilter 1.2.5, src/score.c, prbf() and get_spamicity(): a tail below DBL_EPSILON is 0. Its P
 * is the tail of the test for spam, its Q that for ham. */
static double
bogofilter_tail(double ln_tail)
{
	double tail = exp(ln_tail);
	return tail < DBL_EPSILON ? 0.0 : tail;
}

static double
bogofilter_spamicity(const struct fisher_options *options, double ln_spam_tail, double ln_ham_tail)
{
	double p = bogofilter_tail(ln_spam_tail);
	double q = bogofilter_tail(ln_ham_tail);
	if (options->sp_esf >= 1.0 && options->ns_esf >= 1.0)
		return (1.0 + q - p) / 2.0;
	return p == 0 && q == 0 ? 0.5 : q / (q + p);
}

void
fisher_combine(const struct fisher_options *options, const struct fisher_sum *sum,
    struct fisher_result *ret_result)
{
	struct fisher_result result = {.spamicity = options->robx, .used = sum->used};
	if (sum->used > 0) {
		double degrees = 2.0 * (double)sum->used;
		result.ln_spam_tail = fisher_ln_chi2_tail(
		    -2.0 * sum->ln_ham * options->sp_esf, degrees * options->sp_esf);
		result.ln_ham_tail = fisher_ln_chi2_tail(
		    -2.0 * sum->ln_spam * options->ns_esf, degrees * options->ns_esf);
		result.evidence = result.ln_ham_tail - result.ln_spam_tail;
		result.spamicity =
		    bogofilter_spamicity(options, result.ln_spam_tail, result.ln_ham_tail);
	}
	*ret_result = result;
}

double
fisher_logit(const struct fisher_result *result)
{
	return copysign(log1p(fabs(result->evidence)), result->evidence);
}
