/* Writes the words it was started with, each ended by a NUL, to /run/oracle/UNIT: what systemd
 * really makes of a command line. UNIT is the last part of its control group. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	char group[4096] = "";
	char path[4200];
	FILE *file = fopen("/proc/self/cgroup", "r");

	/* There may be more than one hierarchy; those without units are of no interest. */
	while (file && !strstr(group, ".service"))
		if (!fgets(group, sizeof group, file))
			return 1;
	if (!file || fclose(file) != 0)
		return 1;
	group[strcspn(group, "\n")] = '\0';
	const char *unit = strrchr(group, '/');
	if (!unit)
		return 1;
	(void)snprintf(path, sizeof path, "/run/oracle%.4000s", unit);
	/* Of a oneshot the last command counts. */
	file = fopen(path, "w");
	if (!file)
		return 1;
	for (int i = 0; i < argc; i++)
		(void)fwrite(argv[i], 1, strlen(argv[i]) + 1, file);
	return fclose(file) == 0 ? 0 : 1;
}
