/* What Docker has stored, as the folders tell it: for when the daemon does not. */
#pragma once

#include "base/error.h"
#include "core/facts.h"

/* Counts images, containers and volumes under the data root, in the folder that the daemon would
 * use: with userns_remap (NULL or "" is off) that is its subfolder UID.GID. Fills everything in
 * *ret but containerd_store and overlay2_possible, and *ret_swarm. What this user may not see stays
 * -1 or UNKNOWN, with one sentence in unseen. A data root that does not exist holds nothing. */
int dataroot_read(const char *root, const char *path, const char *userns_remap,
		  struct data_root_facts *ret, enum tristate *ret_swarm, struct strlist *unseen,
		  struct error *error);

/* Whether overlay2 works on the file system of the data root, or of the nearest parent that
 * exists. */
enum tristate dataroot_overlay2_possible(const char *root, const char *path);

/* Where a daemon that does not run will look for its images (facts b.5). */
struct image_store_question {
	struct dockerver version;
	enum tristate feature;         /* features.containerd-snapshotter; UNKNOWN: not set */
	const char *storage_driver;    /* as configured; NULL or "" when it is not */
	bool remapped;                 /* userns-remap is on */
	const struct strlist *drivers; /* non-empty graph driver folders */
};

/* YES: in containerd. NO: under the data root, with a graph driver. */
enum tristate dataroot_image_store(const struct image_store_question *question);
