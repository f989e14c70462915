/* SHA-256 (FIPS 180-4), to tell whether bytes are still the ones that were written down. */
#pragma once

#include <stddef.h>

#define SHA256_HEX_SIZE 65

/* Writes the digest of the bytes as 64 lower-case hexadecimal digits and a terminator. */
void sha256_hex(const void *bytes, size_t length, char ret[SHA256_HEX_SIZE]);
