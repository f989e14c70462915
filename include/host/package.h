/* Docker's version by the package database of a system that does not run. */
#pragma once

#include "base/error.h"

/* The version of the installed Docker (docker-ce, docker.io, moby-engine), without the packager's
 * epoch and revision, as a new string; NULL in *ret where no database tells it. dpkg's is read as
 * the text that it is; rpm's is looked through for the package's header, so that one that was
 * removed there, and whose traces say something else, makes the version unknown. */
int package_docker_version(const char *root, char **ret, struct error *error);
