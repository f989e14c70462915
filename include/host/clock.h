/* Deadlines are points on the monotonic clock, in microseconds. */
#pragma once

#include <stdint.h>
#include <time.h>

static inline uint64_t clock_now_us(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* The wall clock, for what is compared with the journal. */
static inline uint64_t clock_realtime_us(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* Time left until the deadline as poll() takes it: rounded up, so that a loop does not spin through
 * the last fraction of a millisecond; 0 once it has passed. */
static inline int clock_left_ms(uint64_t deadline_us)
{
	uint64_t now = clock_now_us();

	if (now >= deadline_us)
		return 0;
	uint64_t left = (deadline_us - now + 999) / 1000;
	return left > 1000000 ? 1000000 : (int)left;
}
