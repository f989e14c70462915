#include "harness.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/strbuf.h"
#include "base/text.h"
#include "core/daemonjson.h"
#include "core/findings.h"
#include "core/jsontext.h"

static const char *const kind_names[] = {
	[FINDING_UNKNOWN_KEY] = "unknown", [FINDING_FUTURE_KEY] = "future",
	[FINDING_REMOVED_KEY] = "removed", [FINDING_DEPRECATED_KEY] = "deprecated",
	[FINDING_IGNORED_KEY] = "ignored", [FINDING_WRAPPED_KEY] = "wrapped",
	[FINDING_WRONG_TYPE] = "type",     [FINDING_GIVEN_TWICE] = "twice",
	[FINDING_BAD_VALUE] = "value",     [FINDING_SIDE_EFFECT] = "side-effect",
	[FINDING_BAD_FLAG] = "flag",       [FINDING_ENCODING] = "encoding",
};

static struct flags parse_flags(const char *line, struct dockerver version)
{
	struct strlist list = {.items = NULL};
	struct words words = {.items = NULL};
	struct flags flags = {.items = NULL};
	struct error error = ERROR_NONE;

	ck_assert_int_eq(words_split(line, &list, &error), 0);
	words.items = calloc(list.count + 1, sizeof *words.items);
	words.items[words.count++].text = strdup("dockerd");
	for (size_t i = 0; i < list.count; i++)
		words.items[words.count++].text = strdup(list.items[i]);
	ck_assert_int_eq(flags_parse(&words, version, &flags, &error), 0);
	words_done(&words);
	strlist_done(&list);
	return flags;
}

static struct findings collect(const char *text, size_t length, const char *flag_line,
			       const char *version_text)
{
	struct dockerver version;
	struct error error = ERROR_NONE;
	struct findings findings = {.items = NULL};
	json_t *document = NULL;

	ck_assert(dockerver_parse(version_text, &version));
	struct flags flags = parse_flags(flag_line, version);
	ck_assert_msg(jsontext_check(text, length, &error) == 0, "%s: %s", text, error.text);
	if (!jsontext_is_blank(text, length))
		ck_assert_msg(daemonjson_read(text, length, &document, &error) == 0, "%s: %s", text,
			      error.text);
	ck_assert_int_eq(
		findings_collect(text, length, true, document, &flags, version, &findings, &error),
		0);
	json_decref(document);
	flags_done(&flags);
	return findings;
}

/* "!" stands for fatal. */
static char *summary(const struct findings *findings, bool with_places)
{
	struct strbuf out = STRBUF_EMPTY;

	for (size_t i = 0; i < findings->count; i++) {
		const struct finding *finding = &findings->items[i];
		strbuf_addf(&out, "%s%s%s:%s", i && !with_places ? " " : "",
			    finding->fatal ? "!" : "", kind_names[finding->kind], finding->key);
		if (with_places)
			strbuf_addf(&out, " %u:%u\n", finding->line, finding->column);
	}
	return strbuf_finish(&out);
}

/* What every text must be: sentences for a person. */
static void assert_readable(const struct findings *findings)
{
	for (size_t i = 0; i < findings->count; i++) {
		const char *text = findings->items[i].text;
		size_t length = strlen(text);
		ck_assert_msg(length > 30 && length < 400, "%s", text);
		ck_assert_msg(strchr(".?", text[length - 1]), "%s", text);
		ck_assert_msg(!strstr(text, "  ") && !strstr(text, "(null)"), "%s", text);
	}
}

struct row {
	const char *version, *json, *flags, *want;
};

static const struct row rows[] = {
	/* nothing to say */
	{"17.12", "{}", "-H fd://", ""},
	{"29.7", "{}", "-H fd://", ""},
	{"28.5", "{\"icc\": false, \"live-restore\": true, \"userland-proxy\": false}", "", ""},
	{"28.5", "null", "", ""},
	{"28.5", "{\"icc\": null, \"log-opts\": null, \"hosts\": null}", "", ""},
	/* unknown, future, removed (facts a.3, b.9) */
	{"28.5", "{\"foo\": 1}", "", "!unknown:foo"},
	{"28.5", "{\"ICC\": false}", "", "!unknown:ICC"},
	{"28.5", "{\"D\": true}", "", "!unknown:D"},
	{"28.5", "{\"\": 1}", "", "!unknown:"},
	{"28.5", "{\"default-init\": \"x\"}", "", "!unknown:default-init"},
	{"28.5", "{\"resolv-conf\": {}}", "", "!unknown:resolv-conf"},
	{"17.12", "{\"resolv-conf\": {}}", "", "wrapped:resolv-conf"},
	{"20.10", "{\"bip6\": \"\"}", "", "!future:bip6"},
	{"20.10", "{\"validate\": false}", "", "!future:validate"},
	{"20.10", "{\"http-proxy\": \"x\"}", "", "!future:http-proxy"},
	{"20.10", "{\"proxies\": {\"http-proxy\": \"x\"}}", "", "!future:http-proxy"},
	{"18.06", "{\"features\": {\"x\": true}}", "", "!unknown:x"},
	{"18.06", "{\"features\": true}", "", "!future:features"},
	{"17.12.0", "{\"node-generic-resources\": []}", "", "!future:node-generic-resources"},
	{"17.12.1", "{\"node-generic-resources\": []}", "", ""},
	{"18.01", "{\"node-generic-resources\": []}", "", "!future:node-generic-resources"},
	{"28.5", "{\"graph\": \"/x\"}", "", "!removed:graph"},
	{"23.0", "{\"graph\": \"/x\"}", "", "!removed:graph"},
	{"23.0", "{\"graph\": \"\"}", "", "removed:graph"},
	{"23.0", "{\"graph\": 1}", "", "!type:graph"},
	{"20.10", "{\"graph\": \"/x\"}", "", "deprecated:graph"},
	{"20.10", "{\"graph\": \"/x\", \"data-root\": \"/y\"}", "",
	 "deprecated:graph !value:graph"},
	{"20.10", "{\"graph\": \"\", \"data-root\": \"/y\"}", "", "deprecated:graph"},
	{"23.0", "{\"cluster-store-opts\": {}}", "", "removed:cluster-store-opts"},
	{"23.0", "{\"cluster-store-opts\": {\"a\": \"b\"}}", "", "!removed:cluster-store-opts"},
	{"24.0", "{\"cluster-store-opts\": {\"a\": \"b\"}}", "", "!removed:cluster-store-opts"},
	{"24.0", "{\"oom-score-adjust\": -500}", "", "deprecated:oom-score-adjust"},
	{"25.0", "{\"oom-score-adjust\": -500}", "", "!removed:oom-score-adjust"},
	{"25.0", "{\"oom-score-adjust\": 0}", "", "removed:oom-score-adjust"},
	{"26.0", "{\"oom-score-adjust\": 0}", "", "!removed:oom-score-adjust"},
	{"27.0", "{\"api-cors-header\": \"*\"}", "", "deprecated:api-cors-header"},
	{"28.0", "{\"api-cors-header\": \"*\"}", "", "!removed:api-cors-header"},
	{"28.0", "{\"api-cors-header\": \"\"}", "", "removed:api-cors-header"},
	{"29.0", "{\"api-cors-header\": \"\"}", "", "!removed:api-cors-header"},
	{"18.09", "{\"disable-legacy-registry\": true}", "", "deprecated:disable-legacy-registry"},
	{"18.09", "{\"disable-legacy-registry\": false}", "",
	 "deprecated:disable-legacy-registry !value:disable-legacy-registry"},
	{"19.03", "{\"disable-legacy-registry\": true}", "", "!removed:disable-legacy-registry"},
	{"28.0", "{\"allow-nondistributable-artifacts\": []}", "",
	 "deprecated:allow-nondistributable-artifacts"},
	{"28.1", "{\"allow-nondistributable-artifacts\": 5}", "",
	 "ignored:allow-nondistributable-artifacts"},
	{"24.0", "{\"deprecated-key-path\": [1]}", "", "ignored:deprecated-key-path"},
	{"28.0", "{\"host-gateway-ip\": \"1.1.1.1\"}", "", "deprecated:host-gateway-ip"},
	/* accepted and ignored (facts a.8) */
	{"28.5", "{\"default-ulimit\": \"x\"}", "", "ignored:default-ulimit"},
	{"28.5", "{\"default-ulimit\": {}}", "", "ignored:default-ulimit"},
	{"28.5", "{\"default-ulimit\": {\"nofile\": {}}}", "", "!unknown:nofile"},
	{"28.5", "{\"log-opt\": {\"max-size\": \"1m\"}}", "", "!unknown:max-size"},
	{"28.5", "{\"host\": [[1]]}", "-H fd://", "ignored:host"},
	{"28.5", "{\"http-proxy\": \"x\"}", "", "ignored:http-proxy"},
	{"28.5", "{\"http-proxy\": 5}", "--http-proxy=x", "ignored:http-proxy !twice:http-proxy"},
	{"28.5", "{\"config-file\": \"x\"}", "", "ignored:config-file"},
	{"28.5", "{\"config-file\": \"x\"}", "--config-file /x",
	 "ignored:config-file !twice:config-file"},
	{"28.5", "{\"version\": true, \"help\": 1}", "", "ignored:version ignored:help"},
	{"20.10", "{\"cdi-spec-dir\": 1}", "", "!unknown:cdi-spec-dir"},
	{"24.0", "{\"cluster-store-opt\": 1}", "", "!unknown:cluster-store-opt"},
	/* side effects */
	{"28.5", "{\"validate\": true}", "", "!side-effect:validate"},
	{"28.5", "{\"validate\": \"t\"}", "", "!side-effect:validate"},
	{"28.5", "{\"validate\": 1}", "", "!side-effect:validate"},
	{"28.5", "{\"validate\": false}", "", "ignored:validate"},
	{"28.5", "{\"x\": {\"validate\": true}}", "", "!side-effect:validate"},
	{"28.5", "{\"restart\": false}", "", "side-effect:restart"},
	{"28.5", "{\"restart\": true}", "", "ignored:restart"},
	{"28.5", "{}", "--validate", "!side-effect:--validate"},
	{"28.5", "{}", "--version", "!side-effect:--version"},
	{"28.5", "{}", "--restart=false", "side-effect:--restart"},
	/* wrappers (facts a.2) */
	{"28.5", "{\"x\": {}}", "", "wrapped:x"},
	{"28.5", "{\"x\": {\"bar\": 1}}", "", "!unknown:bar"},
	{"28.5", "{\"a\": {\"b\": {\"icc\": false}}}", "", "!unknown:b"},
	{"28.5", "{\"x\": {\"icc\": false}}", "", "wrapped:icc"},
	{"28.5", "{\"x\": {\"icc\": \"no\", \"mtu\": []}}", "", "wrapped:icc wrapped:mtu"},
	{"28.5", "{\"x\": {\"userns-remap\": \"a\"}}", "--userns-remap=b",
	 "wrapped:userns-remap !twice:userns-remap"},
	{"28.5", "{\"x\": {\"tlsverify\": true}}", "", "!wrapped:tlsverify"},
	{"28.5", "{\"x\": {\"tlsverify\": true}, \"tlscert\": \"/a\", \"tlskey\": \"/b\"}", "",
	 "wrapped:tlsverify"},
	{"28.5", "{\"x\": {\"log-opt\": 1}}", "", "wrapped:log-opt"},
	{"28.5", "{\"proxies\": {\"http-proxy\": \"x\"}}", "", ""},
	{"28.5", "{\"Proxies\": {\"http-proxy\": \"x\"}}", "", ""},
	{"28.5", "{\"proxies\": {}}", "", ""},
	{"28.5", "{\"proxies\": {\"HTTP-Proxy\": \"x\"}}", "", "!unknown:HTTP-Proxy"},
	{"28.5", "{\"proxies\": {\"http-proxy\": 5}}", "", "!type:http-proxy"},
	{"28.5", "{\"proxies\": {\"no-proxy\": null, \"icc\": true}}", "", "wrapped:icc"},
	{"28.5", "{\"proxies\": {\"https-proxy\": \"x\"}}", "--https-proxy y",
	 "!twice:https-proxy"},
	{"28.5", "{\"proxies\": []}", "", "!type:proxies"},
	{"28.5", "{\"LOG-OPTS\": {\"max-size\": \"1\"}}", "", "!unknown:max-size"},
	{"28.5", "{\"LOG-OPTS\": {\"max-size\": 1}}", "", "!type:LOG-OPTS"},
	{"28.5", "{\"Runtimes\": {}}", "", "wrapped:Runtimes"},
	{"28.5", "{\"Icc\": {}}", "", "!type:Icc"},
	{"28.5", "{\"icc\": {}}", "", "!type:icc"},
	{"28.5", "{\"hosts\": {\"icc\": true}}", "", "!type:hosts"},
	{"23.0", "{\"default-network-opts\": {\"bridge\": {}}}", "", "wrapped:bridge"},
	{"24.0", "{\"default-network-opts\": {\"bridge\": {}}}", "", ""},
	{"18.06", "{\"builder\": {\"gc\": 1}}", "", "!unknown:gc"},
	/* types (facts a.7) */
	{"28.5", "{\"icc\": \"false\"}", "", "!type:icc"},
	{"28.5", "{\"icc\": \"x\", \"icc\": true}", "", "!type:icc"},
	{"28.5", "{\"icc\": true, \"icc\": \"x\"}", "", "!type:icc"},
	{"28.5", "{\"mtu\": 1.5, \"log-opts\": {\"max-file\": 3}}", "", "!type:mtu !type:log-opts"},
	{"28.5", "{\"default-shm-size\": null}", "", "!type:default-shm-size"},
	{"28.5", "{\"log-opts\": {\"max-size\": \"1m\"}, \"log-opts\": {\"max-file\": \"3\"}}", "",
	 ""},
	/* duplicates (facts a.4) */
	{"28.5", "{\"hosts\": []}", "-H fd://", "!twice:hosts"},
	{"28.5", "{\"debug\": false}", "-D", "!twice:debug"},
	{"28.5", "{\"debug\": null}", "-D", "!twice:debug"},
	{"28.5", "{\"log-opts\": {}}", "--log-opt max-size=1", "!twice:log-opts"},
	{"28.5", "{\"features\": {}}", "--feature cdi", "!twice:features"},
	{"28.5", "{\"containerd\": \"/x\"}", "--containerd=/x", "!twice:containerd"},
	{"18.06", "{\"runtimes\": {}}", "--add-runtime x=/y", "!twice:runtimes"},
	{"18.09", "{\"runtimes\": {}}", "--add-runtime x=/y", ""},
	{"28.5", "{\"host-gateway-ips\": []}", "--host-gateway-ip 1.1.1.1",
	 "!twice:host-gateway-ips"},
	{"28.5", "{\"host-gateway-ip\": \"\"}", "--host-gateway-ip 1.1.1.1",
	 "deprecated:host-gateway-ip !twice:host-gateway-ip"},
	{"28.5", "{\"host-gateway-ip\": \"1.1.1.1\", \"host-gateway-ips\": []}", "",
	 "deprecated:host-gateway-ip !value:host-gateway-ip"},
	{"28.1", "{\"allow-nondistributable-artifacts\": 5}",
	 "--allow-nondistributable-artifacts x",
	 "ignored:allow-nondistributable-artifacts !twice:allow-nondistributable-artifacts "
	 "deprecated:--allow-nondistributable-artifacts"},
	/* icc, iptables, bridge (facts b.1) */
	{"28.5", "{\"icc\": false, \"iptables\": false}", "", "!value:icc"},
	{"17.12", "{\"icc\": false}", "--iptables=false", "!value:icc"},
	{"17.12", "{\"iptables\": false}", "--icc=false", "!value:--icc"},
	{"28.5", "{\"iptables\": false}", "", ""},
	{"26.1", "{\"icc\": false, \"ipv6\": true, \"fixed-cidr-v6\": \"2001:db8::/64\"}", "", ""},
	{"27.0", "{\"icc\": false, \"ipv6\": true, \"fixed-cidr-v6\": \"2001:db8::/64\"}", "", ""},
	{"28.5", "{\"icc\": false, \"ipv6\": true, \"ip6tables\": false}", "", "!value:icc"},
	{"26.1", "{\"ip6tables\": true}", "", "!value:ip6tables"},
	{"26.1", "{\"ip6tables\": true, \"experimental\": true}", "", ""},
	{"26.1", "{\"ip6tables\": true}", "--experimental", ""},
	{"27.0", "{\"ip6tables\": true}", "", ""},
	{"20.10", "{}", "--ip6tables", "!value:--ip6tables"},
	{"28.5", "{\"bridge\": \"br0\", \"bip\": \"10.0.0.1/24\"}", "", "!value:bridge"},
	{"28.5", "{\"bip\": \"10.0.0.1/24\"}", "-b br0", "!value:--bridge"},
	{"28.5", "{\"bridge\": \"br0\", \"bip6\": \"x\"}", "", "!value:bridge"},
	{"28.5", "{\"bridge\": \"\", \"bip\": \"10.0.0.1/24\"}", "", ""},
	{"27.5", "{\"ipv6\": true}", "", "!value:ipv6"},
	{"27.5", "{\"ipv6\": true, \"live-restore\": true}", "", "value:ipv6"},
	{"27.5", "{\"ipv6\": true, \"bridge\": \"none\"}", "", ""},
	{"28.0", "{\"ipv6\": true}", "", ""},
	{"19.03", "{\"ipv6\": true}", "", ""},
	/* userns, proxies, TLS (facts b.3, b.4, b.8) */
	{"28.5", "{\"userns-remap\": \"root\"}", "", "value:userns-remap"},
	{"28.5", "{\"userns-remap\": \"0:0\"}", "", "value:userns-remap"},
	{"28.5", "{\"userns-remap\": \"default\"}", "", ""},
	{"28.5", "{\"userns-remap\": \"rooty\"}", "", ""},
	{"29.0",
	 "{\"userns-remap\": \"default\", \"features\": {\"containerd-snapshotter\": true}}", "",
	 "!value:userns-remap"},
	{"28.5",
	 "{\"userns-remap\": \"default\", \"features\": {\"containerd-snapshotter\": true}}", "",
	 ""},
	{"25.0", "{\"userland-proxy\": true}", "", "value:userland-proxy"},
	{"24.0", "{\"userland-proxy\": true}", "", ""},
	{"28.5", "{\"userland-proxy\": true, \"userland-proxy-path\": \"/x\"}", "", ""},
	{"28.5", "{\"userland-proxy-path\": \"x\"}", "", "!value:userland-proxy-path"},
	{"28.5", "{\"userland-proxy-path\": \"x\", \"userland-proxy\": false}", "", ""},
	{"28.5", "{}", "--userland-proxy", ""},
	{"28.5", "{\"tlsverify\": false}", "", "!value:tlsverify"},
	{"28.5", "{\"tlsverify\": true, \"tlscert\": \"/x\", \"tlskey\": \"/y\"}", "", ""},
	{"28.5", "{\"tlsverify\": true}", "--tls", ""},
	{"28.5", "{\"tls\": true}", "", "!value:tls"},
	{"28.5", "{\"tls\": false}", "", ""},
	/* storage drivers (facts b.5) */
	{"20.10", "{\"storage-driver\": \"aufs\"}", "", ""},
	{"24.0", "{\"storage-driver\": \"aufs\"}", "", "!value:storage-driver"},
	{"24.0", "{\"storage-driver\": \"devicemapper\"}", "", ""},
	{"25.0", "{\"storage-driver\": \"devicemapper\"}", "--experimental",
	 "!value:storage-driver"},
	{"28.5", "{}", "-s devicemapper", "!value:--storage-driver"},
	{"29.0", "{\"storage-driver\": \"devicemapper\"}", "", "value:storage-driver"},
	{"20.10", "{\"storage-driver\": \"foo\"}", "", "!value:storage-driver"},
	{"20.10", "{\"storage-driver\": \"foo\", \"experimental\": true}", "", ""},
	{"28.5", "{\"storage-driver\": \"foo\", \"experimental\": true}", "",
	 "!value:storage-driver"},
	{"28.5", "{\"storage-driver\": \"foo\", \"features\": {\"containerd-snapshotter\": true}}",
	 "", ""},
	{"29.0", "{\"storage-driver\": \"stargz\"}", "", ""},
	{"29.0", "{\"storage-driver\": \"stargz\", \"userns-remap\": \"default\"}", "",
	 "!value:storage-driver"},
	{"29.0", "{\"storage-driver\": \"x\", \"features\": {\"containerd-snapshotter\": false}}",
	 "", "!value:storage-driver"},
	{"29.0",
	 "{\"storage-driver\": \"overlay2\", \"features\": {\"containerd-snapshotter\": true}}", "",
	 "!value:storage-driver"},
	{"28.5",
	 "{\"storage-driver\": \"overlay2\", \"features\": {\"containerd-snapshotter\": true}}", "",
	 "value:storage-driver"},
	{"17.12", "{\"storage-driver\": \"fuse-overlayfs\"}", "", "!value:storage-driver"},
	{"28.5", "{\"storage-driver\": \"\"}", "", ""},
	/* logging (facts b.6) */
	{"28.5", "{\"log-driver\": \"syslog\", \"log-opts\": {\"max-size\": \"1m\"}}", "",
	 "!value:log-opts"},
	{"28.5", "{\"log-opts\": {\"max-size\": \"1m\", \"max-file\": \"3\"}}", "", ""},
	{"28.5", "{\"log-opts\": {\"max-size\": \"1m\"}}", "--log-driver=journald",
	 "!value:log-opts"},
	{"28.5", "{\"log-driver\": \"local\"}", "--log-opt tag=x", "!value:--log-opt"},
	{"28.5", "{\"log-driver\": \"syslog\", \"log-opts\": {}}", "", ""},
	{"28.5", "{\"log-driver\": \"\", \"log-opts\": {\"syslog-address\": \"udp://x\"}}", "",
	 "!value:log-opts"}, /* an empty driver is filled in: json-file (facts a.1) */
	{"28.5", "{\"log-driver\": \"none\", \"log-opts\": {\"a\": \"b\", \"mode\": \"x\"}}", "",
	 ""},
	{"28.5", "{\"log-driver\": \"loki\", \"log-opts\": {\"a\": \"b\"}}", "", ""},
	{"28.5", "{\"log-driver\": \"sylog\"}", "", "value:log-driver"},
	{"25.0", "{\"log-driver\": \"logentries\"}", "", "value:log-driver"},
	{"28.5", "{\"log-opts\": {\"mode\": \"fast\"}}", "", "!value:log-opts"},
	{"28.5", "{\"log-opts\": {\"max-buffer-size\": \"1m\"}}", "", "!value:log-opts"},
	{"28.5", "{\"log-opts\": {\"mode\": \"non-blocking\", \"max-buffer-size\": \"1m\"}}", "",
	 ""},
	{"28.5", "{\"log-driver\": \"syslog\", \"log-opts\": {\"syslog-address\": \"http://x\"}}",
	 "", "!value:log-opts"},
	{"28.5",
	 "{\"log-driver\": \"syslog\", \"log-opts\": {\"syslog-address\": \"tcp+tls://x\"}}", "",
	 ""},
	{"28.5", "{\"log-driver\": \"syslog\", \"log-opts\": {\"syslog-facility\": \"24\"}}", "",
	 "!value:log-opts"},
	{"28.5", "{\"log-driver\": \"syslog\", \"log-opts\": {\"syslog-facility\": \"local7\"}}",
	 "", ""},
	{"28.5", "{\"log-driver\": \"syslog\", \"log-opts\": {\"syslog-format\": \"json\"}}", "",
	 "!value:log-opts"},
	{"28.5", "{\"log-driver\": \"gelf\", \"log-opts\": {\"tag\": \"x\"}}", "",
	 "!value:log-opts"},
	{"28.5", "{\"log-driver\": \"awslogs\", \"log-opts\": {\"tag\": \"x\"}}", "",
	 "!value:log-opts"},
	{"28.5", "{\"log-level\": \"chatty\"}", "", "!value:log-level"},
	{"28.5", "{\"log-level\": \"DEBUG\"}", "", ""},
	{"24.0", "{\"log-level\": \"warning\"}", "", ""},
	{"25.0", "{\"log-level\": \"warning\"}", "", "!value:log-level"},
	{"28.5", "{\"log-level\": \"\"}", "", ""},
	{"28.5", "{}", "-l chatty", "!value:--log-level"},
	{"28.5", "{\"log-format\": \"JSON\"}", "", "!value:log-format"},
	/* default-ulimits (facts b.7): the daemon starts, containers do not */
	{"28.5", "{\"default-ulimits\": {\"nofile\": {\"Hard\": 5, \"Soft\": 4}}}", "",
	 "value:default-ulimits"},
	{"28.5", "{\"default-ulimits\": {\"x\": {\"name\": \"nofile\", \"hard\": 5, \"soft\": 5}}}",
	 "", ""},
	{"28.5", "{\"default-ulimits\": {\"x\": {\"Name\": \"nofile\", \"Hard\": 4, \"Soft\": 5}}}",
	 "", "value:default-ulimits"},
	{"28.5",
	 "{\"default-ulimits\": {\"x\": {\"Name\": \"nofile\", \"Hard\": -1, \"Soft\": 5}}}", "",
	 ""},
	{"28.5",
	 "{\"default-ulimits\": {\"x\": {\"Name\": \"nofile\", \"Hard\": 5, \"Soft\": -1}}}", "",
	 "value:default-ulimits"},
	{"28.5", "{\"default-ulimits\": {\"x\": {\"Name\": \"NOFILE\"}, \"y\": {}}}", "",
	 "value:default-ulimits value:default-ulimits"},
	/* numbers, lists, names */
	{"28.5", "{\"mtu\": -1}", "", "!value:mtu"},
	{"20.10", "{\"mtu\": -1}", "", ""},
	{"20.10", "{\"max-concurrent-downloads\": -1}", "", "!value:max-concurrent-downloads"},
	{"28.5", "{}", "--max-concurrent-uploads=-1", "!value:--max-concurrent-uploads"},
	{"20.10", "{\"max-download-attempts\": 0}", "", "!value:max-download-attempts"},
	{"23.0", "{\"max-download-attempts\": 0}", "", ""},
	{"28.0", "{\"network-diagnostic-port\": 70000}", "", "!value:network-diagnostic-port"},
	{"27.5", "{\"network-diagnostic-port\": 70000}", "", ""},
	{"28.0",
	 "{\"exec-opts\": [\"native.cgroupdriver=systemd\", \" Native.CgroupDriver = x \"]}", "",
	 ""},
	{"28.0", "{\"exec-opts\": [\"foo=bar\"]}", "", "!value:exec-opts"},
	{"28.0", "{\"exec-opts\": [\"native.cgroupdriver=\"]}", "", "!value:exec-opts"},
	{"27.5", "{\"exec-opts\": [\"foo=bar\"]}", "", ""},
	{"20.10", "{\"labels\": [\"com.docker.x=1\"]}", "", "!value:labels"},
	{"19.03", "{\"labels\": [\"COM.docker.x=1\"]}", "", "value:labels"},
	{"28.5", "{\"labels\": [\"a\"]}", "", "!value:labels"},
	{"28.5", "{\"labels\": [\"a=1\", \"b=1\", \"a=2\"]}", "", "!value:labels"},
	{"28.5", "{\"labels\": [\"a=1\", \"a=1\", \"ab=2\"]}", "", ""},
	{"28.5", "{\"dns\": [\"1.1.1.1\", \"::1\", \"x\"]}", "", "!value:dns"},
	{"28.5", "{\"dns-search\": [\"example.com\", \".\", \"a_b\"]}", "", "!value:dns-search"},
	{"28.5", "{\"default-gateway\": \"x\"}", "", "!value:default-gateway"},
	{"28.5", "{\"host-gateway-ips\": [\"1.1.1.1\", \"::1\"]}", "", ""},
	{"28.5", "{\"host-gateway-ips\": [\"1.1.1.1\", \"2.2.2.2\"]}", "",
	 "!value:host-gateway-ips"},
	{"28.5", "{\"default-ipc-mode\": \"host\"}", "", "!value:default-ipc-mode"},
	{"28.5", "{\"default-cgroupns-mode\": \"x\"}", "", "!value:default-cgroupns-mode"},
	{"29.0", "{\"firewall-backend\": \"x\"}", "", "!value:firewall-backend"},
	{"28.5", "{\"hosts\": [\"foo://x\"]}", "", "!value:hosts"},
	{"28.5", "{\"hosts\": [\"fd://\", \"unix:///x\", \"10.0.0.1:2375\"]}", "", ""},
	{"28.5", "{\"dns-search\": [\"a b\"]}", "", "!value:dns-search"},
	{"28.5", "{\"dns-search\": [\"-a.b\", \"a..b\", \"1.2\", \"a-b.c.\", \" x \"]}", "",
	 "!value:dns-search !value:dns-search !value:dns-search"},
	{"26.1", "{\"node-generic-resources\": [\"a=b\", \"a=c\", \"d=1\"]}", "", ""},
	{"26.1", "{\"node-generic-resources\": [\"a\", \"b=c=d\", \"e=-1\"]}", "",
	 "!value:node-generic-resources !value:node-generic-resources "
	 "!value:node-generic-resources"},
	{"26.1", "{\"node-generic-resources\": [\"a=b\", \"a=1\"]}", "",
	 "!value:node-generic-resources"},
	{"26.1", "{\"registry-mirrors\": [\"HTTPS://x\", \"x\"]}", "", "!value:registry-mirrors"},
	{"26.1", "", "--tlsverify=false", "!flag:--tlsverify"},
	{"19.3", "{}", "--tlsverify=false", ""},
	{"26.1", "", "--tls --tlsverify=false", ""},
	{"26.1", "{\"tlsverify\": true}", "--tls=false", "!value:tlsverify"},
	{"28.5", "{\"registry-mirrors\": [\"ftp://x\"]}", "", "!value:registry-mirrors"},
	{"28.5", "{\"default-shm-size\": \"\"}", "", "!value:default-shm-size"},
	{"28.5", "{\"default-shm-size\": \"64M\"}", "", ""},
	{"28.5", "{\"fixed-cidr-v6\": \"x\"}", "", "!value:fixed-cidr-v6"},
	{"28.5", "{\"runtimes\": {\"runc\": {\"path\": \"x\"}}}", "", "!value:runtimes"},
	{"24.0", "{\"runtimes\": {\"x\": {}}}", "", ""},
	{"25.0", "{\"runtimes\": {\"x\": {}}}", "", "!value:runtimes"},
	{"25.0", "{\"runtimes\": {\"x\": {\"Path\": \"/y\"}}}", "", ""},
	{"28.5", "{\"default-runtime\": \"x\"}", "", "!value:default-runtime"},
	{"28.5", "{\"default-runtime\": \"x\"}", "--add-runtime x=/y", ""},
	{"28.5", "{\"default-runtime\": \"io.containerd.kata.v2\"}", "", ""},
	{"19.03", "{\"metrics-addr\": \"127.0.0.1:9323\"}", "", "!value:metrics-addr"},
	{"20.10", "{\"metrics-addr\": \"127.0.0.1:9323\"}", "", ""},
	{"19.03", "{\"rootless\": true}", "", "!value:rootless"},
	{"26.1", "{\"features\": {\"windows-dns-proxy\": false}}", "", "!value:features"},
	{"28.0", "{\"features\": {\"windows-dns-proxy\": true}}", "", ""},
	{"29.7", "{\"features\": {\"embedded-containerd\": true}, \"cri-containerd\": true}", "",
	 "!value:features"},
	{"29.2", "{\"nri-opts\": {\"enabled\": true}}", "", "!value:nri-opts"},
	{"29.2", "{\"nri-opts\": {\"Enable\": true}}", "", ""},
	/* encoding (facts a.6) */
	{"20.10", "", "", "!encoding:daemon.json"},
	{"20.10", " \n", "", "!encoding:daemon.json"},
	{"20.10", "\xEF\xBB\xBF{}", "", "!encoding:daemon.json"},
	{"23.0", "", "", ""},
	{"23.0", "\xEF\xBB\xBF{}", "", ""},
	/* the command line */
	{"28.5", "{}", "--foo", "!flag:--foo"},
	{"28.5", "{}", "--icc false", "!flag:--icc"},
	{"23.0", "{}", "--cluster-store=x", "!flag:--cluster-store"},
	{"23.0", "{}", "--cluster-store=", "deprecated:--cluster-store"},
	{"25.0", "{}", "--oom-score-adjust=0", "deprecated:--oom-score-adjust"},
	{"25.0", "{}", "--oom-score-adjust=-500", "!flag:--oom-score-adjust"},
	{"18.09", "{}", "--disable-legacy-registry", "!flag:--disable-legacy-registry"},
	{"20.10", "{}", "-g /x", "deprecated:--graph"},
};

START_TEST(finds)
{
	const struct row *row = &rows[_i];
	struct findings findings = collect(row->json, strlen(row->json), row->flags, row->version);
	char *got = summary(&findings, false);

	ck_assert_msg(strcmp(got, row->want) == 0, "%s %s [%s]\n  got  %s\n  want %s", row->version,
		      row->json, row->flags, got, row->want);
	assert_readable(&findings);
	free(got);
	findings_done(&findings);
}
END_TEST

/* What dockerd's own default is cannot be wrong, in any version that has the key. */
START_TEST(defaults_are_never_fatal)
{
	static const char *const versions[] = {"17.12", "18.02", "18.09", "19.03.3",
					       "20.10", "23.0",  "24.0",  "25.0",
					       "26.1",  "27.5",  "28.5",  "29.7"};
	size_t count;
	const struct option *table = options_table(&count);

	for (size_t v = 0; v < array_size(versions); v++)
		for (size_t i = 0; i < count; i++) {
			struct dockerver version;
			ck_assert(dockerver_parse(versions[v], &version));
			if (!table[i].key || !option_has_key(&table[i], version))
				continue;
			json_t *value = option_default(&table[i], version);
			json_t *object = json_pack("{s:o}", table[i].key, value);
			char *text = json_dumps(object, 0);
			struct findings findings = collect(text, strlen(text), "", versions[v]);
			for (size_t f = 0; f < findings.count; f++)
				ck_assert_msg(!findings.items[f].fatal, "%s %s: %s", versions[v],
					      text, findings.items[f].text);
			findings_done(&findings);
			free(text);
			json_decref(object);
		}
}
END_TEST

START_TEST(no_file_is_no_blank_file)
{
	struct findings findings = {.items = NULL};
	struct error error = ERROR_NONE;

	ck_assert_int_eq(findings_collect("", 0, false, NULL, NULL, (struct dockerver){20, 10, 0},
					  &findings, &error),
			 0);
	ck_assert_uint_eq(findings.count, 0);
}
END_TEST

/* A file or a command line may hold passwords. */
START_TEST(texts_keep_secrets)
{
	static const char json[] =
		"{\"proxies\": {\"http-proxy\": \"http://u:hunter2@x\", \"https-proxy\": 5},"
		"\"log-driver\": \"splunk\", \"log-opts\": {\"splunk-token\": \"hunter2\","
		"\"mode\": \"hunter2\", \"x\": \"hunter2\"}, \"labels\": [\"hunter2\"],"
		"\"log-level\": \"hunter2\", \"dns\": [\"hunter2\"], \"exec-opts\": [\"hunter2\"],"
		"\"http-proxy\": \"hunter2\", \"hosts\": [\"hunter2://x\"], \"foo\": \"hunter2\"}";
	struct findings findings = collect(json, strlen(json),
					   "--http-proxy=http://u:hunter2@x --foo=hunter2", "28.5");

	ck_assert_uint_gt(findings.count, 10);
	for (size_t i = 0; i < findings.count; i++)
		ck_assert_msg(!strstr(findings.items[i].text, "hunter2"), "%s",
			      findings.items[i].text);
	findings_done(&findings);
}
END_TEST

/* Cost must grow with the size of the file, not with its square. */
START_TEST(a_huge_file_takes_linear_time)
{
	struct strbuf text = STRBUF_EMPTY;
	clock_t start = clock();

	strbuf_adds(&text, "{\"icc\": false");
	for (unsigned i = 0; i < 100000; i++)
		strbuf_addf(&text, ", \"key-%u\": {\"a%u\": 1}, \"icc\": false", i, i);
	strbuf_adds(&text, "}");
	struct findings findings = collect(text.data, text.length, "-D", "28.5");
	ck_assert_uint_eq(findings.count, 100000);
	ck_assert_uint_eq(findings.items[99999].line, 1);
	ck_assert_uint_gt(findings.items[99999].column, 3000000);
	/* The square would take hours; a sanitizer costs a factor of ten. */
	ck_assert_int_lt((clock() - start) / CLOCKS_PER_SEC, 30);
	findings_done(&findings);
	strbuf_done(&text);
}
END_TEST

/* Whole files with their places: tests/data/findings/NAME/{daemon.json,version,flags,expected}. */

static char *read_case(const char *name, const char *file, size_t *ret_length)
{
	const char *data = getenv("HARDEN_TEST_DATA");
	char path[512];
	struct strbuf out = STRBUF_EMPTY;
	int character;

	(void)snprintf(path, sizeof path, "%s/findings/%s/%s", data ? data : "tests/data", name,
		       file);
	FILE *stream = fopen(path, "re");
	ck_assert_msg(stream, "%s: %s", path, strerror(errno));
	while ((character = fgetc(stream)) != EOF)
		strbuf_addc(&out, (char)character);
	(void)fclose(stream);
	*ret_length = out.length;
	return strbuf_finish(&out);
}

static const char *const cases[] = {"kitchen-sink", "typos", "upgrade-to-28", "old-and-blank",
				    "crlf-and-tabs"};

START_TEST(finds_in_files)
{
	size_t length, ignored;
	char *text = read_case(cases[_i], "daemon.json", &length);
	char *version = read_case(cases[_i], "version", &ignored);
	char *flags = read_case(cases[_i], "flags", &ignored);
	char *want = read_case(cases[_i], "expected", &ignored);

	version[strcspn(version, "\n")] = '\0';
	struct findings findings = collect(text, length, flags, version);
	char *got = summary(&findings, true);
	ck_assert_msg(strcmp(got, want) == 0, "%s\ngot\n%s\nwant\n%s", cases[_i], got, want);
	assert_readable(&findings);
	findings_done(&findings);
	free(got);
	free(want);
	free(flags);
	free(version);
	free(text);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("findings");
	TCase *tests = tcase_create("all");

	tcase_set_timeout(tests, 120);
	tcase_add_loop_test(tests, finds, 0, (int)array_size(rows));
	tcase_add_test(tests, defaults_are_never_fatal);
	tcase_add_test(tests, no_file_is_no_blank_file);
	tcase_add_test(tests, texts_keep_secrets);
	tcase_add_test(tests, a_huge_file_takes_linear_time);
	tcase_add_loop_test(tests, finds_in_files, 0, (int)array_size(cases));
	suite_add_tcase(suite, tests);

	return test_run(suite);
}
