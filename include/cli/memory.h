/* What happens when jansson gets no memory. jansson 2.14 fails an assertion when it runs out while
 * it reads (lex_unget_unsave), so that the end has to come before, with a sentence. */
#pragma once

/* For commands that change nothing: ends with EXIT_TROUBLE. */
void memory_end_in_trouble(void);

/* For recover itself: ends with EXIT_PUT_BACK_FAILED while something is pending. */
void memory_end_in_failure(void);

/* For those that change something: a fresh `harden recover`, which has all the memory that this
 * process gives up, puts the host back first. Ends with EXIT_PUT_BACK or EXIT_PUT_BACK_FAILED, and
 * with EXIT_TROUBLE where nothing was changed. */
void memory_end_in_recovery(void);
