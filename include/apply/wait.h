/* Waiting with a deadline, a way out for the person at the keyboard, and signs of life. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct wait {
	uint64_t deadline_us; /* CLOCK_MONOTONIC */
	int interrupt_fd;     /* readable when somebody wants to stop (signalfd); -1: nobody can */
	void (*tick)(void *context); /* called about five times a second; may be NULL */
	void *context;
};

/* Waits until fd (-1: none) has one of the events of poll(2), or until the moment until_us comes
 * (UINT64_MAX: only the deadline counts). Returns 1 when fd is ready or broken, 0 when the moment
 * came, -ETIMEDOUT past the deadline, -ECANCELED when interrupt_fd became readable, which is not
 * read from. Past the deadline, and once interrupted, fd is not even looked at, so that a peer that
 * always has something to say cannot hold a loop. */
int wait_for(const struct wait *wait, int fd, short events, uint64_t until_us);

/* Whether somebody wants to stop. */
bool wait_interrupted(const struct wait *wait);
