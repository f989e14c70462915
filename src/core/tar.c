#include "core/tar.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define BLOCK 512

/* The header of POSIX.1-1988. Numbers are octal digits with a NUL behind them. */
struct header {
	char name[100];
	char mode[8];
	char uid[8];
	char gid[8];
	char size[12];
	char mtime[12];
	char checksum[8];
	char type;
	char link_name[100];
	char magic[6];
	char version[2];
	char user[32];
	char group[32];
	char device_major[8];
	char device_minor[8];
	char prefix[155];
	char padding[12];
};
_Static_assert(sizeof(struct header) == BLOCK, "a header is one block");

/* Of all bytes, those of the sum itself taken as spaces. */
static unsigned checksum_of(const struct header *header)
{
	const unsigned char *bytes = (const unsigned char *)header;
	unsigned sum = 0;

	for (size_t i = 0; i < sizeof *header; i++)
		sum += bytes[i];
	return sum;
}

int tar_add_file(struct strbuf *tar, const char *name, mode_t mode, const char *bytes,
		 size_t length, struct error *error)
{
	struct header header = {.type = '0', .magic = "ustar", .version = {'0', '0'}};
	size_t name_length = strlen(name);

	if (name_length > sizeof header.name)
		return error_set(error, -ENAMETOOLONG, "write a tar archive", name,
				 "the name has more than %zu bytes", sizeof header.name);
	if (length > 077777777777)
		return error_set(error, -EFBIG, "write a tar archive", name, "it is too large");
	memcpy(header.name, name, name_length);
	(void)snprintf(header.mode, sizeof header.mode, "%07o", (unsigned)mode & 07777);
	memcpy(header.uid, "0000000", sizeof header.uid);
	memcpy(header.gid, "0000000", sizeof header.gid);
	(void)snprintf(header.size, sizeof header.size, "%011zo", length);
	memcpy(header.mtime, "00000000000", sizeof header.mtime);
	memset(header.checksum, ' ', sizeof header.checksum);
	/* Six digits, a NUL and a space, which is still there. */
	(void)snprintf(header.checksum, sizeof header.checksum - 1, "%06o", checksum_of(&header));

	(void)strbuf_add(tar, (const char *)&header, sizeof header);
	(void)strbuf_add(tar, bytes, length);
	(void)strbuf_add_repeated(tar, '\0', (BLOCK - length % BLOCK) % BLOCK);
	return tar->failed ? error_set_oom(error) : 0;
}

int tar_end(struct strbuf *tar, struct error *error)
{
	return strbuf_add_repeated(tar, '\0', (size_t)2 * BLOCK) < 0 ? error_set_oom(error) : 0;
}
