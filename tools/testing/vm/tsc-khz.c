// SPDX-License-Identifier: GPL-2.0-only
/*
 * Print this machine's TSC frequency in kHz. A VM on a loaded machine measures
 * it wrong, and then KVM in it refuses or misses timers: so it is told.
 */
#include <stdio.h>
#include <time.h>
#include <x86intrin.h>

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_RAW, &ts);
	return ts.tv_sec * 1e3 + ts.tv_nsec / 1e6;
}

int main(void)
{
	const struct timespec wait = { .tv_nsec = 100 * 1000 * 1000 };
	double start_ms = now();
	unsigned long long start = __rdtsc();

	nanosleep(&wait, NULL);
	printf("%.0f\n", (__rdtsc() - start) / (now() - start_ms));
	return 0;
}
