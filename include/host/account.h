/* Users, groups and subordinate ids, from the files in /etc under root. No NSS: its modules cost
 * start-up time, and dockerd looks into these files first too. */
#pragma once

#include "base/error.h"
#include "core/facts.h"

/* Fills dockremap_user, dockremap_ranges and can_add_user (facts b.3). */
int account_read(const char *root, struct facts *facts, struct error *error);

/* The names of users and groups. */
struct account_names {
	struct text_file users;  /* /etc/passwd */
	struct text_file groups; /* /etc/group */
};

int account_names_read(const char *root, struct account_names *ret, struct error *error);
void account_names_done(struct account_names *names);

/* "root:docker" as a new string, numbers where there is no name; NULL when out of memory. */
char *account_owner(const struct account_names *names, uid_t uid, gid_t gid);

/* The number of a group; -1 when there is none of this name. */
int account_find_group(const char *root, const char *name, int64_t *ret_gid, struct error *error);

/* The name and home of a user, as new strings; both NULL when there is no such user. */
int account_find_user(const char *root, uid_t uid, char **ret_name, char **ret_home,
		      struct error *error);

/* The ids that container root gets when userns-remap has this value ("default", "user",
 * "user:group", a number). -ENOENT when the user has no range. */
int account_remapped_root(const char *root, const char *userns_remap, uint64_t *ret_uid,
			  uint64_t *ret_gid, struct error *error);
