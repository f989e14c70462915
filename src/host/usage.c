#include "host/usage.h"

#include <errno.h>
#include <string.h>

#include <jansson.h>

#include "host/api.h"
#include "host/clock.h"

#define ANSWER_US 250000
#define REPLY_MAX ((size_t)16 * 1024 * 1024)

static int64_t volumes_size(const json_t *usage)
{
	const json_t *volumes = json_object_get(usage, "Volumes");
	int64_t bytes = 0;

	for (size_t i = 0; i < json_array_size(volumes); i++) {
		const json_t *data = json_object_get(json_array_get(volumes, i), "UsageData");
		/* -1 where the volume's driver cannot tell. */
		int64_t size = json_integer_value(json_object_get(data, "Size"));
		bytes += size > 0 ? size : 0;
	}
	return bytes;
}

static int64_t total(const json_t *usage, const char *kind)
{
	return json_integer_value(json_object_get(json_object_get(usage, kind), "TotalSize"));
}

/* The daemon answers in its newest format: sums of its own from API 1.52 (Docker 29), lists before.
 */
static int64_t size_of(const json_t *usage)
{
	if (json_object_get(usage, "ImageUsage") || json_object_get(usage, "VolumeUsage"))
		return total(usage, "ImageUsage") + total(usage, "VolumeUsage");
	const json_t *layers = json_object_get(usage, "LayersSize");
	return json_is_integer(layers) ? json_integer_value(layers) + volumes_size(usage) : -1;
}

int usage_ask(const char *socket_path, int64_t *ret, struct error *error)
{
	json_auto_t *usage = NULL;
	int64_t bytes = -1;

	if (!socket_path || !*socket_path) {
		*ret = bytes;
		return 0;
	}
	int status = api_ask(socket_path, "/system/df?type=image&type=volume", REPLY_MAX,
			     clock_now_us() + ANSWER_US, &usage);
	if (usage)
		bytes = size_of(usage);
	if (status == -ENOMEM)
		return error_set_oom(error);
	*ret = bytes;
	return 0;
}
