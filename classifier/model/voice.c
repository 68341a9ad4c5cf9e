#include "config.h"

#include <math.h>
#include "classifier/model/voice.h"

static double
weight(const struct voice_options *options, double z, double n)
{
	return -options->alpha * z / (options->beta + sqrt(n));
}

double
voice_weight(const struct voice_options *options, struct voice_sums sums, size_t count)
{
	return pow((double)count, -options->power) *
	       weight(options, sums.z / VOICE_Z_UNIT, sums.n / VOICE_N_UNIT);
}

double
voice_total(
    const struct voice_options *options, double weights, size_t count, struct voice_sums bias)
{
	double q = count > 0 ? pow((double)count, -options->power) : 0.0;
	return weight(options, bias.z / VOICE_Z_UNIT, bias.n / VOICE_BIAS_N_UNIT) + q * weights;
}

double
voice_score(const struct voice_options *options, const struct voice_sums *sums, size_t count,
    struct voice_sums bias)
{
	/* In single precision, which is as accurate as the sums and twice as fast. Eight sums side
	 * by side, so that the compiler may use vectors without changing their order. */
	const float beta = (float)(options->beta * sqrt(VOICE_N_UNIT));
	float parts[8] = {0};
	size_t whole = count & ~(size_t)7;
	for (size_t i = 0; i < whole; i += 8) {
		for (size_t k = 0; k < 8; k++) {
			const struct voice_sums *one = &sums[i + k];
			parts[k] += (float)one->z / (beta + sqrtf((float)one->n));
		}
	}
	double total = 0;
	for (size_t i = whole; i < count; i++)
		total += (float)sums[i].z / (beta + sqrtf((float)sums[i].n));
	for (size_t k = 0; k < 8; k++)
		total += parts[k];
	return voice_total(
	    options, -options->alpha * total * (sqrt(VOICE_N_UNIT) / VOICE_Z_UNIT), count, bias);
}

bool
voice_learn(const struct voice_options *options, double score, size_t count, bool spam,
    struct voice_step *ret_step)
{
	*ret_step = (struct voice_step){0};
	if (spam ? score > VOICE_SURE : score < -VOICE_SURE)
		return false;
	double e = 1.0 / (1.0 + exp(-score)) - (spam ? 1.0 : 0.0);
	double g = count > 0 ? e * pow((double)count, -options->power) : 0.0;
	*ret_step = (struct voice_step){
	    .z = (int32_t)lrint(g * VOICE_Z_UNIT),
	    .n = (int32_t)lrint(g * g * VOICE_N_UNIT),
	    .bias_z = (int32_t)lrint(e * VOICE_Z_UNIT),
	    .bias_n = (int32_t)lrint(e * e * VOICE_BIAS_N_UNIT),
	    .taken = 1,
	};
	return true;
}

/* True if the sum leaves 32 bits, or counts below zero. */
static bool
overflows(struct voice_sums sums, int32_t z, int32_t n)
{
	int32_t sum;
	return __builtin_add_overflow(sums.z, z, &sum) || __builtin_add_overflow(sums.n, n, &sum) ||
	       sum < 0;
}

bool
voice_fits(const struct voice_sums *sums, size_t count, struct voice_sums bias,
    const struct voice_step *step)
{
	bool bad = overflows(bias, step->bias_z, step->bias_n);
	for (size_t i = 0; i < count; i++)
		bad |= overflows(sums[i], step->z, step->n);
	return !bad;
}

bool
voice_step_add(struct voice_step *step, const struct voice_step *more)
{
	struct voice_step sum;
	if (__builtin_add_overflow(step->z, more->z, &sum.z) ||
	    __builtin_add_overflow(step->n, more->n, &sum.n) ||
	    __builtin_add_overflow(step->bias_z, more->bias_z, &sum.bias_z) ||
	    __builtin_add_overflow(step->bias_n, more->bias_n, &sum.bias_n) ||
	    __builtin_add_overflow(step->taken, more->taken, &sum.taken))
		return false;
	*step = sum;
	return true;
}

/* Wraps where a record from a damaged store would overflow. */
static int32_t
negated(int32_t number)
{
	return (int32_t)(0u - (uint32_t)number);
}

struct voice_step
voice_step_negated(const struct voice_step *step)
{
	return (struct voice_step){.z = negated(step->z),
	    .n = negated(step->n),
	    .bias_z = negated(step->bias_z),
	    .bias_n = negated(step->bias_n),
	    .taken = negated(step->taken)};
}

void
voice_gather(const struct voice_sums *table, const uint32_t *slots, size_t count,
    struct voice_sums *ret_sums)
{
	for (size_t i = 0; i < count; i++)
		ret_sums[i] = table[slots[i]];
}

void
voice_add(
    struct voice_sums *table, const uint32_t *slots, size_t count, const struct voice_step *step)
{
	for (size_t i = 0; i < count; i++) {
		struct voice_sums *sums = &table[slots[i]];
		sums->z = (int32_t)((uint32_t)sums->z + (uint32_t)step->z);
		sums->n = (int32_t)((uint32_t)sums->n + (uint32_t)step->n);
	}
}
