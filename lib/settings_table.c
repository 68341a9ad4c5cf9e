#include "config.h"

#include "lib/settings_table.h"

#define SECOND 1.0
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)
#define MIB    (1024.0 * 1024)
#define GIB    (MIB * 1024)
#define TIB    (GIB * 1024)

/* Which program a change has to restart. */
#define NEVER       0
#define IN_GREYLAGD SETTINGS_GREYLAGD
#define IN_MILTER   SETTINGS_MILTER
#define IN_BOTH     (SETTINGS_GREYLAGD | SETTINGS_MILTER)

const struct setting_row settings_table[SETTING_COUNT] = {
    [SETTING_STORE_URI] = {"store", "uri", SETTING_TYPE_TEXT, 0, 0, NULL, "lmdb:" GREYLAG_STATEDIR,
	"Where everything is kept: lmdb:FOLDER on this machine; redis://HOST[:PORT][/DB] or "
	"redis+unix:PATH on a Redis server that several hosts share, rediss: over TLS; or mem: for "
	"trying things out, gone when the program ends.",
	IN_GREYLAGD},
    [SETTING_STORE_PASSWORD_FILE] = {"store", "password_file", SETTING_TYPE_TEXT, 0, 0, NULL, "",
	"A file whose first line is the password for the Redis server. policy.user must be able to "
	"read it.",
	IN_GREYLAGD},
    [SETTING_STORE_TLS_CA] = {"store", "tls_ca", SETTING_TYPE_TEXT, 0, 0, NULL, "",
	"With rediss: a file of certificate authorities, in PEM, one of which must have signed the "
	"server's certificate. Empty for those that the system trusts.",
	IN_GREYLAGD},
    [SETTING_STORE_TLS_CERT] = {"store", "tls_cert", SETTING_TYPE_TEXT, 0, 0, NULL, "",
	"With rediss: a file with the certificate, in PEM, that this host shows to the server. "
	"Empty for none.",
	IN_GREYLAGD},
    [SETTING_STORE_TLS_KEY] = {"store", "tls_key", SETTING_TYPE_TEXT, 0, 0, NULL, "",
	"The file with that certificate's key, which policy.user must be able to read. Empty if "
	"the key is in the same file.",
	IN_GREYLAGD},
    [SETTING_STORE_MAP_SIZE] = {"store", "map_size", SETTING_TYPE_SIZE, 16 * MIB, TIB, NULL, "64G",
	"Address space that each of the store's two files starts with. It costs nothing until it "
	"is used, and grows by itself.",
	IN_GREYLAGD},
    [SETTING_STORE_MAX_TRIPLETS] = {"store", "max_triplets", SETTING_TYPE_NUMBER, 0, 4e9, NULL,
	"10000000",
	"How many triplets are kept at most, some 200 bytes each; beyond that, those that would "
	"expire first make room. 0 for no limit.",
	IN_GREYLAGD},
    [SETTING_STORE_TIMEOUT] = {"store", "timeout_ms", SETTING_TYPE_NUMBER, 10, 60000, NULL, "250",
	"Milliseconds that a request waits for the store before its mail is let in.", NEVER},
    [SETTING_STORE_PATIENCE] = {"store", "patience", SETTING_TYPE_DURATION, 1, HOUR, NULL, "10s",
	"How long greylag and greylagctl wait for a Redis server to answer, or to come back.",
	NEVER},
    [SETTING_STORE_FALLBACK] = {"store", "fallback", SETTING_TYPE_TEXT, 0, 0, NULL, "",
	"lmdb:FOLDER: a store on this machine that answers while the Redis server does not, and is "
	"merged into it afterwards. Empty: mail is let in meanwhile.",
	IN_GREYLAGD},
    [SETTING_STORE_WAIT_REPLICAS] = {"store", "wait_replicas", SETTING_TYPE_NUMBER, 0, 16, NULL,
	"0",
	"How many replicas of the Redis server must have a triplet before it is answered, so that "
	"none is lost when one of them takes over.",
	IN_GREYLAGD},
    [SETTING_STORE_CACHE] = {"store", "cache", SETTING_TYPE_NUMBER, 0, 16777216, NULL, "65536",
	"How many known triplets and clients the daemon remembers if the store is on a Redis "
	"server, some 150 bytes each; 0 for none. Not needed with lmdb:.",
	NEVER},
    [SETTING_STORE_CACHE_TTL] = {"store", "cache_ttl", SETTING_TYPE_DURATION, 1, 10 * MINUTE, NULL,
	"60s",
	"How long each is remembered: what another host or greylagctl erases is forgotten after "
	"this time at the latest.",
	NEVER},

    [SETTING_POLICY_LISTEN] = {"policy", "listen", SETTING_TYPE_LIST, 0, 0, NULL,
	"inet:127.0.0.1:10023",
	"Where greylagd listens for Postfix: inet:HOST:PORT, inet:[IPV6]:PORT and unix:PATH, as "
	"many as you like.",
	IN_GREYLAGD},
    [SETTING_POLICY_SOCKET_MODE] = {"policy", "socket_mode", SETTING_TYPE_MODE, 0, 0777, NULL,
	"0660", "Mode of unix: sockets. Let the folder decide who may connect, or use 0666.",
	IN_GREYLAGD},
    [SETTING_POLICY_USER] = {"policy", "user", SETTING_TYPE_TEXT, 0, 0, NULL, "greylag",
	"The user that greylagd becomes if it is started as root. Empty to stay root.", IN_BOTH},
    [SETTING_POLICY_MAX_CONNECTIONS] = {"policy", "max_connections", SETTING_TYPE_NUMBER, 1,
	1000000, NULL, "8192",
	"How many connections are kept at most; each smtpd process has one. Beyond that, the one "
	"that has been idle longest is closed.",
	NEVER},
    [SETTING_POLICY_IDLE_TIMEOUT] = {"policy", "idle_timeout", SETTING_TYPE_DURATION, 301, 7 * DAY,
	NULL, "1100s",
	"How long a connection may go without a whole request before it is closed. Postfix keeps "
	"idle ones for 300 s and uses none for longer than 1000 s.",
	NEVER},

    [SETTING_GREYLIST_MODE] = {"greylist", "mode", SETTING_TYPE_CHOICE, 0, 0, "enforce observe off",
	"enforce", "enforce; observe: decides, counts and logs, but lets all mail in; or off.",
	NEVER},
    [SETTING_GREYLIST_DELAY] = {"greylist", "delay", SETTING_TYPE_DURATION, 0, DAY, NULL, "60s",
	"A retry earlier than this is too early. Large senders retry after 1 to 6 minutes: a "
	"longer delay costs a second retry and stops hardly any more spam.",
	NEVER},
    [SETTING_GREYLIST_RETRY_WINDOW] = {"greylist", "retry_window", SETTING_TYPE_DURATION,
	10 * SECOND, 30 * DAY, NULL, "24h",
	"A retry later than this counts as a first attempt. Must be longer than the delay.", NEVER},
    [SETTING_GREYLIST_LIFETIME] = {"greylist", "lifetime", SETTING_TYPE_DURATION, MINUTE,
	3650 * DAY, NULL, "35d",
	"How long a triplet that has passed stays known after its last mail. Must be longer than "
	"the retry window; at least a week, and a month spares monthly newsletters.",
	NEVER},
    [SETTING_GREYLIST_IPV4_PREFIX] = {"greylist", "ipv4_prefix", SETTING_TYPE_NUMBER, 8, 32, NULL,
	"24", "A retry matches from anywhere in the IPv4 network of this many bits.", NEVER},
    [SETTING_GREYLIST_IPV6_PREFIX] = {"greylist", "ipv6_prefix", SETTING_TYPE_NUMBER, 16, 128, NULL,
	"64", "A retry matches from anywhere in the IPv6 network of this many bits.", NEVER},
    [SETTING_GREYLIST_MATCH_BY_NAME] = {"greylist", "match_by_name", SETTING_TYPE_ON_OFF, 0, 0,
	NULL, "on",
	"A retry also matches if the verified names of both clients are in the same organisational "
	"domain. This spares the users of large providers delays of hours.",
	NEVER},
    [SETTING_GREYLIST_AUTO_WHITELIST_AFTER] = {"greylist", "auto_whitelist_after",
	SETTING_TYPE_NUMBER, 0, 1000000, NULL, "5",
	"A client that has passed this often, counted at most once an hour, is not asked to retry "
	"again. 0 for never.",
	NEVER},
    [SETTING_GREYLIST_ACTION] = {"greylist", "action", SETTING_TYPE_CHOICE, 0, 0,
	"DEFER_IF_PERMIT DEFER 450 451", "DEFER_IF_PERMIT",
	"How a client is asked to come again. Some senders take 450 for a rejection; 451 helps.",
	NEVER},
    [SETTING_GREYLIST_TEXT] = {"greylist", "text", SETTING_TYPE_TEXT, 0, 0, NULL,
	"4.2.0 Greylisted, try again in %s seconds",
	"What the client is told; ASCII, with %s for the seconds that are left. An enhanced status "
	"code at the beginning is passed on as one.",
	NEVER},
    [SETTING_GREYLIST_WHEN] = {"greylist", "when", SETTING_TYPE_CHOICE, 0, 0, "all suspicious",
	"all",
	"all, or suspicious: only clients without a verified name, with one that looks dynamic, or "
	"whose HELO does not fit.",
	NEVER},
    [SETTING_GREYLIST_NULL_SENDER] = {"greylist", "null_sender", SETTING_TYPE_CHOICE, 0, 0,
	"rcpt data", "rcpt",
	"When bounces are deferred. At data, servers that only verify an address are not "
	"disturbed; Postfix must then also ask in smtpd_data_restrictions.",
	NEVER},
    [SETTING_GREYLIST_PRIVACY] = {"greylist", "privacy", SETTING_TYPE_ON_OFF, 0, 0, NULL, "off",
	"Keep addresses as keyed hashes only. Lists then show no addresses.", NEVER},

    [SETTING_WHITELIST_CLIENTS] = {"whitelist", "clients", SETTING_TYPE_LIST, 0, 0, NULL, "",
	"Files with clients that are never greylisted, in the syntax of postgrey's "
	"whitelist_clients.",
	NEVER},
    [SETTING_WHITELIST_RECIPIENTS] = {"whitelist", "recipients", SETTING_TYPE_LIST, 0, 0, NULL, "",
	"Files with recipients whose mail is never greylisted, in the syntax of postgrey's "
	"whitelist_recipients.",
	NEVER},
    [SETTING_WHITELIST_SENDERS] = {"whitelist", "senders", SETTING_TYPE_LIST, 0, 0, NULL, "",
	"Files with senders that are never greylisted, in the same syntax. Senders are easily "
	"forged: prefer clients.",
	NEVER},
    [SETTING_WHITELIST_OPT_IN] = {"whitelist", "opt_in", SETTING_TYPE_LIST, 0, 0, NULL, "",
	"Files with the only recipients whose mail is greylisted, in the same syntax. Without any, "
	"everybody's is.",
	NEVER},
    [SETTING_WHITELIST_NETWORKS] = {"whitelist", "networks", SETTING_TYPE_LIST, 0, 0, NULL,
	"127.0.0.0/8 ::1",
	"Your own networks, and secondary MXs that relay to this server: addresses and networks "
	"like 192.0.2.0/24.",
	NEVER},
    [SETTING_WHITELIST_FINGERPRINTS] = {"whitelist", "fingerprints", SETTING_TYPE_LIST, 0, 0, NULL,
	"", "Fingerprints of client certificates that are never greylisted, as Postfix logs them.",
	NEVER},

    [SETTING_HTTP_LISTEN] = {"http", "listen", SETTING_TYPE_LIST, 0, 0, NULL, "inet:127.0.0.1:6647",
	"Where the statistics are shown: inet:HOST:PORT, inet:[IPV6]:PORT and unix:PATH, or off. "
	"Whoever can connect can read them.",
	IN_GREYLAGD},
    [SETTING_HTTP_SOCKET_MODE] = {"http", "socket_mode", SETTING_TYPE_MODE, 0, 0777, NULL, "0660",
	"Mode of unix: sockets.", IN_GREYLAGD},
    [SETTING_HTTP_HOSTS] = {"http", "hosts", SETTING_TYPE_LIST, 0, 0, NULL, "",
	"Host names, without a port, that a browser may use besides localhost and loopback "
	"addresses. Others are refused, so that no foreign web page can read the statistics.",
	NEVER},
    [SETTING_HTTP_ALLOW_REMOTE] = {"http", "allow_remote", SETTING_TYPE_ON_OFF, 0, 0, NULL, "off",
	"Also listen on addresses other than loopback. There is neither a password nor encryption; "
	"a reverse proxy or an ssh tunnel is better.",
	IN_GREYLAGD},
    [SETTING_HTTP_MAX_CONNECTIONS] = {"http", "max_connections", SETTING_TYPE_NUMBER, 1, 10000,
	NULL, "64", "Beyond that, the one that has been idle longest makes room.", NEVER},
    [SETTING_HTTP_TIMEOUT] = {"http", "timeout", SETTING_TYPE_DURATION, 1, 3600, NULL, "15s",
	"A connection that sends no whole request for this long is closed.", NEVER},

    [SETTING_CLASSIFIER_SPAM_CUTOFF] = {"classifier", "spam_cutoff", SETTING_TYPE_DECIMAL, 0.5, 1,
	NULL, "0.95", "A message with this probability or more is spam.", NEVER},
    [SETTING_CLASSIFIER_HAM_CUTOFF] = {"classifier", "ham_cutoff", SETTING_TYPE_DECIMAL, 0, 0.5,
	NULL, "0.2",
	"A message with this probability or less is ham. Between the two cut-offs it is unsure.",
	NEVER},
    [SETTING_CLASSIFIER_ROBS] = {"classifier", "robs", SETTING_TYPE_DECIMAL, 0.0001, 10, NULL,
	"0.03", "How many messages the belief about an unknown word is worth (Robinson's s).",
	NEVER},
    [SETTING_CLASSIFIER_ROBX] = {"classifier", "robx", SETTING_TYPE_DECIMAL, 0.01, 0.99, NULL,
	"0.5", "The belief about a word that was never seen (Robinson's x).", NEVER},
    [SETTING_CLASSIFIER_MIN_DEV] = {"classifier", "min_dev", SETTING_TYPE_DECIMAL, 0, 0.49, NULL,
	"0.45", "Words nearer to 0.5 than this do not count in Fisher's voice.", NEVER},
    [SETTING_CLASSIFIER_OWN_HOSTS] = {"classifier", "own_hosts", SETTING_TYPE_LIST, 0, 0, NULL, "",
	"Names of your own mail hosts, or of the domains they are in: what they write into a "
	"message is not its sender's.",
	NEVER},
    [SETTING_CLASSIFIER_AUTHSERV_IDS] = {"classifier", "authserv_ids", SETTING_TYPE_LIST, 0, 0,
	NULL, "",
	"Names of servers (RFC 8601) whose Authentication-Results are believed; all others may be "
	"forged.",
	NEVER},
    [SETTING_CLASSIFIER_MEMORY] = {"classifier", "memory", SETTING_TYPE_SIZE, 0, 64 * GIB, NULL,
	"64M",
	"Room for what is remembered of trained messages (numbers, no text), some 7 KB each, so "
	"that the order of training does not matter. A bulk run takes twice that while it lasts.",
	NEVER},
    [SETTING_CLASSIFIER_PAIRS] = {"classifier", "pairs", SETTING_TYPE_ON_OFF, 0, 0, NULL, "off",
	"Pairs of neighbouring words are tokens, too: a store two to three times the size, for a "
	"tenth fewer errors.",
	NEVER},
    [SETTING_CLASSIFIER_MAX_MESSAGE] = {"classifier", "max_message", SETTING_TYPE_SIZE, 65536,
	64 * MIB, NULL, "8M",
	"A longer message is read up to here; that it was cut is itself a token.", NEVER},

    [SETTING_REPUTATION_USE] = {"reputation", "use", SETTING_TYPE_ON_OFF, 0, 0, NULL, "on",
	"Greylisting acts on what became of earlier mail: networks and domains that sent wanted "
	"mail, and those that your own users wrote to, do not wait. off: it is counted but not "
	"acted on.",
	NEVER},
    [SETTING_REPUTATION_HALF_LIFE] = {"reputation", "half_life", SETTING_TYPE_DURATION, HOUR,
	3650 * DAY, NULL, "30d", "After this time a verdict counts for half.", NEVER},
    [SETTING_REPUTATION_REMEMBER] = {"reputation", "remember", SETTING_TYPE_DURATION, DAY,
	366 * DAY, NULL, "30d",
	"How long a delivery is remembered, so that a correction can take its verdict back and the "
	"report can count it.",
	NEVER},
    [SETTING_REPUTATION_HAM] = {"reputation", "ham", SETTING_TYPE_DECIMAL, 0.01, 50, NULL, "0.5",
	"How many messages judged ham spare a network or domain the delay. With 0.5, a single one "
	"does so for a half-life.",
	NEVER},
    [SETTING_REPUTATION_MAX_SPAM] = {"reputation", "max_spam", SETTING_TYPE_DECIMAL, 0, 0.5, NULL,
	"0.33",
	"Ham spares a network or domain the delay as long as no larger share of its mail than this "
	"is spam.",
	NEVER},
    [SETTING_REPUTATION_SPAM] = {"reputation", "spam", SETTING_TYPE_DECIMAL, 1, 50, NULL, "5",
	"How many messages judged spam, with no ham at all, lengthen the delay of a network or "
	"domain.",
	NEVER},
    [SETTING_REPUTATION_FACTOR] = {"reputation", "factor", SETTING_TYPE_DECIMAL, 1, 10, NULL, "2",
	"The delay is multiplied by this, up to 1 h. 1 for never.", NEVER},
    [SETTING_MILTER_LISTEN] = {"milter", "listen", SETTING_TYPE_TEXT, 0, 0, NULL,
	"inet:127.0.0.1:6648",
	"Where greylag-milter listens for Postfix: inet:HOST:PORT, inet:[IPV6]:PORT or unix:PATH.",
	IN_MILTER},
    [SETTING_MILTER_SOCKET_MODE] = {"milter", "socket_mode", SETTING_TYPE_MODE, 0, 0777, NULL,
	"0660", "Mode of a unix: socket.", IN_MILTER},
    [SETTING_MILTER_ON_SPAM] = {"milter", "on_spam", SETTING_TYPE_CHOICE, 0, 0,
	"accept header reject quarantine tempfail", "header",
	"What becomes of spam: accept lets it in as it is, header lets it in with X-Greylag, "
	"reject refuses it (5.7.1), quarantine puts it into Postfix's hold queue, tempfail puts it "
	"off (4.7.1).",
	NEVER},
    [SETTING_MILTER_ON_UNSURE] = {"milter", "on_unsure", SETTING_TYPE_CHOICE, 0, 0,
	"accept header reject quarantine tempfail", "header",
	"The same for messages that are neither surely spam nor surely ham.", NEVER},
    [SETTING_MILTER_TEXT] = {"milter", "text", SETTING_TYPE_TEXT, 0, 0, NULL,
	"This message looks like spam to us",
	"What the client is told when a message is refused or put off; ASCII.", NEVER},
    [SETTING_MILTER_FIRST_TIMERS] = {"milter", "first_timers", SETTING_TYPE_CHOICE, 0, 0,
	"accept tempfail", "accept",
	"tempfail: greylisting at the end of DATA, of what is not ham and was first tried less "
	"than greylist.delay ago. It needs greylagd in observe mode.",
	NEVER},
    [SETTING_MILTER_JUDGE_OWN] = {"milter", "judge_own", SETTING_TYPE_ON_OFF, 0, 0, NULL, "off",
	"Also judge the mail of your own users: of those who have logged in, and of your own "
	"networks.",
	NEVER},
    [SETTING_MILTER_MAX_CONNECTIONS] = {"milter", "max_connections", SETTING_TYPE_NUMBER, 1, 10000,
	NULL, "500", "Mail on connections beyond that is let in unseen.", NEVER},
    [SETTING_MILTER_MAX_MEMORY] = {"milter", "max_memory", SETTING_TYPE_SIZE, 16 * MIB, 64 * GIB,
	NULL, "256M",
	"Memory for all messages that are on their way in at the same time, not counting the first "
	"64K of each. A message for which no room is left is judged by its beginning, like one "
	"beyond classifier.max_message.",
	NEVER},
    [SETTING_MILTER_WORKERS] = {"milter", "workers", SETTING_TYPE_NUMBER, 0, 1024, NULL, "0",
	"How many messages are judged at the same time; 0 for as many as there are processors.",
	NEVER},

    [SETTING_LOG_TARGET] = {"log", "target", SETTING_TYPE_TEXT, 0, 0, NULL, "syslog",
	"syslog, stderr, none, or a file's absolute path. With -f it is standard error.", IN_BOTH},
    [SETTING_LOG_LEVEL] = {"log", "level", SETTING_TYPE_CHOICE, 0, 0, "error warning info debug",
	"info", "error, warning, info or debug. Decisions are logged at info.", IN_BOTH},
};
