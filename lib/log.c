#include "config.h"

#include "lib/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define BUFFER_SIZE   65536
#define LINE_MAX_SIZE (LOG_FIELDS_SIZE + 128)

/* Kinds of log_limited() that are told apart; further ones share the last. */
#define KINDS        32
#define KIND_SECONDS 60

enum target { TARGET_STDERR, TARGET_SYSLOG, TARGET_FILE, TARGET_NONE };

struct kind {
	const char *name;
	int64_t last; /* monotonic seconds */
	unsigned held_back;
};

static struct {
	pthread_mutex_t lock;
	enum target target;
	_Atomic(enum log_level) level; /* read without the lock, to drop lines cheaply */
	char *program, *path;
	int fd;
	bool journal; /* lines begin with their level */
	size_t used;
	char buffer[BUFFER_SIZE];
	time_t stamp_second;
	char stamp[32];
	struct kind kinds[KINDS];
	int64_t (*seconds)(void); /* the clock of log_limited(); NULL for the monotonic one */
} state = {.lock = PTHREAD_MUTEX_INITIALIZER,
    .target = TARGET_STDERR,
    .level = LOG_LEVEL_INFO,
    .fd = STDERR_FILENO};

static const int syslog_levels[] = {
    [LOG_LEVEL_ERROR] = LOG_ERR,
    [LOG_LEVEL_WARNING] = LOG_WARNING,
    [LOG_LEVEL_INFO] = LOG_INFO,
    [LOG_LEVEL_DEBUG] = LOG_DEBUG,
};

/* -- writing, with the lock held -- */

static void
write_out(void)
{
	size_t sent = 0;

	while (sent < state.used) {
		ssize_t n = write(state.fd, state.buffer + sent, state.used - sent);

		if (n < 0 && errno == EINTR)
			continue;
		/* A log that cannot be written must not stop mail. */
		if (n < 0)
			break;
		sent += (size_t)n;
	}
	state.used = 0;
}

/* The time of day as text, made anew once a second. */
static const char *
stamp(void)
{
	time_t now = time(NULL);
	struct tm tm;

	if (now != state.stamp_second) {
		state.stamp_second = now;
		localtime_r(&now, &tm);
		strftime(state.stamp, sizeof state.stamp, "%Y-%m-%dT%H:%M:%S%z", &tm);
	}
	return state.stamp;
}

static void
append(const char *text, size_t length)
{
	memcpy(state.buffer + state.used, text, length);
	state.used += length;
}

/* Standard error is the journal: systemd tells by device and inode which stream it has connected,
 * since it may be redirected later (systemd.exec(5), $JOURNAL_STREAM). */
static bool
is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	uintmax_t device, inode;
	struct stat st;

	return stream && sscanf(stream, "%ju:%ju", &device, &inode) == 2 &&
	       fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

const char *
log_error_prefix(void)
{
	return is_journal() ? "<3>" : "";
}

/* As of sd-daemon(3); the levels are those of syslog(3). */
static void
append_level(enum log_level level)
{
	const char prefix[] = {'<', (char)('0' + syslog_levels[level]), '>'};

	append(prefix, sizeof prefix);
}

/* To standard error without a time, which the journal adds itself; to a file with it. */
static void
put_line(enum log_level level, const char *text, size_t length)
{
	if (state.target == TARGET_NONE)
		return;
	if (state.target == TARGET_SYSLOG) {
		syslog(syslog_levels[level], "%.*s", (int)length, text);
		return;
	}
	if (state.used + length + LINE_MAX_SIZE - LOG_FIELDS_SIZE > BUFFER_SIZE)
		write_out();
	if (state.target == TARGET_FILE) {
		const char *now = stamp();

		append(now, strlen(now));
		append(" ", 1);
	}
	if (state.journal)
		append_level(level);
	if (state.program) {
		append(state.program, strlen(state.program));
		append(": ", 2);
	}
	append(text, length);
	append("\n", 1);
	if (level <= LOG_LEVEL_WARNING || !state.program)
		write_out();
}

/* -- opening -- */

static int
open_file(const char *path, GError **error)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0640);

	if (fd < 0)
		g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(errno),
		    "cannot open the log file %s: %s", path, g_strerror(errno));
	return fd;
}

bool
log_open(const char *program, const char *target, enum log_level level, GError **error)
{
	enum target kind = TARGET_FILE;
	int fd = STDERR_FILENO;

	if (strcmp(target, "stderr") == 0)
		kind = TARGET_STDERR;
	else if (strcmp(target, "syslog") == 0)
		kind = TARGET_SYSLOG;
	else if (strcmp(target, "none") == 0)
		kind = TARGET_NONE;
	else if ((fd = open_file(target, error)) < 0)
		return false;
	log_close();
	pthread_mutex_lock(&state.lock);
	state.program = g_strndup(program, 64);
	state.path = kind == TARGET_FILE ? g_strdup(target) : NULL;
	state.target = kind;
	state.journal = kind == TARGET_STDERR && is_journal();
	state.level = level;
	state.fd = fd;
	if (kind == TARGET_SYSLOG)
		openlog(state.program, LOG_PID, LOG_MAIL);
	pthread_mutex_unlock(&state.lock);
	return true;
}

bool
log_reopen(GError **error)
{
	int fd;

	pthread_mutex_lock(&state.lock);
	if (state.target == TARGET_FILE) {
		write_out();
		fd = open_file(state.path, error);
		if (fd < 0) {
			pthread_mutex_unlock(&state.lock);
			return false;
		}
		close(state.fd);
		state.fd = fd;
	}
	pthread_mutex_unlock(&state.lock);
	return true;
}

void
log_flush(void)
{
	pthread_mutex_lock(&state.lock);
	write_out();
	pthread_mutex_unlock(&state.lock);
}

void
log_close(void)
{
	pthread_mutex_lock(&state.lock);
	write_out();
	if (state.target == TARGET_FILE)
		close(state.fd);
	if (state.target == TARGET_SYSLOG)
		closelog();
	g_clear_pointer(&state.program, g_free);
	g_clear_pointer(&state.path, g_free);
	state.target = TARGET_STDERR;
	state.journal = false;
	state.fd = STDERR_FILENO;
	memset(state.kinds, 0, sizeof state.kinds);
	pthread_mutex_unlock(&state.lock);
}

/* -- escaping -- */

enum byte_class {
	BYTE_QUOTED, /* stands as it is between quotes only */
	BYTE_BARE,
	BYTE_ESCAPED, /* by a backslash */
	BYTE_HEX,
};

static enum byte_class
byte_class(uint8_t byte)
{
	static const uint8_t classes[256] = {
	    [0x00 ... 0x1f] = BYTE_HEX,
	    [0x7f ... 0xff] = BYTE_HEX,
	    ['"'] = BYTE_ESCAPED,
	    ['\\'] = BYTE_ESCAPED,
	    ['0' ... '9'] = BYTE_BARE,
	    ['A' ... 'Z'] = BYTE_BARE,
	    ['a' ... 'z'] = BYTE_BARE,
	    ['.'] = BYTE_BARE,
	    ['_'] = BYTE_BARE,
	    ['-'] = BYTE_BARE,
	    ['+'] = BYTE_BARE,
	    ['@'] = BYTE_BARE,
	    [':'] = BYTE_BARE,
	    ['/'] = BYTE_BARE,
	    ['='] = BYTE_BARE,
	    ['<'] = BYTE_BARE,
	    ['>'] = BYTE_BARE,
	    ['['] = BYTE_BARE,
	    [']'] = BYTE_BARE,
	};

	return (enum byte_class)classes[byte];
}

static size_t
put_hex(char *to, uint8_t byte)
{
	static const char digits[] = "0123456789abcdef";

	to[0] = '\\';
	to[1] = 'x';
	to[2] = digits[byte >> 4];
	to[3] = digits[byte & 15];
	return 4;
}

/* -- lines of text -- */

/* How many bytes the printable character at TEXT takes; 0 if it is none, or no UTF-8. */
static size_t
printable_size(const char *text)
{
	gunichar c = g_utf8_get_char_validated(text, -1);

	if (c == (gunichar)-1 || c == (gunichar)-2 || !g_unichar_isprint(c))
		return 0;
	return (size_t)(g_utf8_next_char(text) - text);
}

/* Line ends in a text for people would look like further lines of the log; other controls, in
 * ASCII or in UTF-8, would steer the terminal of who reads it. */
static size_t
escape_line(char *to, size_t size, const char *text)
{
	size_t used = 0;

	while (*text && used + 4 < size) {
		size_t length = printable_size(text);

		if (length == 0) {
			used += put_hex(to + used, (uint8_t)*text++);
		} else {
			memcpy(to + used, text, length);
			used += length;
			text += length;
		}
	}
	return used;
}

static void put_text(enum log_level level, const char *suffix, const char *format, va_list args)
    G_GNUC_PRINTF(3, 0);

static void
put_text(enum log_level level, const char *suffix, const char *format, va_list args)
{
	char text[LOG_FIELDS_SIZE], line[LOG_FIELDS_SIZE];
	int used = vsnprintf(text, sizeof text, format, args);

	if (used < 0)
		return;
	if ((size_t)used < sizeof text)
		g_strlcpy(text + used, suffix, sizeof text - (size_t)used);
	put_line(level, line, escape_line(line, sizeof line, text));
}

void
log_line(enum log_level level, const char *format, ...)
{
	va_list args;

	if (level > state.level)
		return;
	va_start(args, format);
	pthread_mutex_lock(&state.lock);
	put_text(level, "", format, args);
	pthread_mutex_unlock(&state.lock);
	va_end(args);
}

static struct kind *
find_kind(const char *name)
{
	for (unsigned i = 0; i < KINDS - 1; i++) {
		if (!state.kinds[i].name)
			state.kinds[i] = (struct kind){.name = name, .last = INT64_MIN / 2};
		if (strcmp(state.kinds[i].name, name) == 0)
			return &state.kinds[i];
	}
	if (!state.kinds[KINDS - 1].name)
		state.kinds[KINDS - 1] = (struct kind){.name = "", .last = INT64_MIN / 2};
	return &state.kinds[KINDS - 1];
}

void
log_set_clock(int64_t (*seconds)(void))
{
	state.seconds = seconds;
}

void
log_limited(enum log_level level, const char *name, const char *format, ...)
{
	int64_t now;
	char suffix[64] = "";
	struct kind *kind;
	va_list args;

	if (level > state.level)
		return;
	va_start(args, format);
	pthread_mutex_lock(&state.lock);
	now = state.seconds ? state.seconds() : g_get_monotonic_time() / G_USEC_PER_SEC;
	kind = find_kind(name);
	if (now - kind->last < KIND_SECONDS) {
		kind->held_back++;
	} else {
		if (kind->held_back)
			snprintf(suffix, sizeof suffix, " (and %u times since the last line)",
			    kind->held_back);
		kind->last = now;
		kind->held_back = 0;
		put_text(level, suffix, format, args);
	}
	pthread_mutex_unlock(&state.lock);
	va_end(args);
}

/* -- lines of fields -- */

/* Kept free at the end of every value: "..." and the closing quote, and the space before the
 * next key. */
#define RESERVE 8

/* Bytes that one value may take, so that a long sender leaves room for the reason. */
#define VALUE_MAX 300

void
log_fields_init(struct log_fields *fields)
{
	fields->used = 0;
}

/* Room for KEY= and an empty value; false if there is none, and the pair is left out. */
static bool
begin_pair(struct log_fields *fields, const char *key)
{
	size_t length = strlen(key);

	if (fields->used + length + 2 * RESERVE > sizeof fields->text)
		return false;
	if (fields->used)
		fields->text[fields->used++] = ' ';
	memcpy(fields->text + fields->used, key, length);
	fields->used += length;
	fields->text[fields->used++] = '=';
	return true;
}

static bool
is_bare(const char *value, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (byte_class((uint8_t)value[i]) != BYTE_BARE)
			return false;
	return length > 0;
}

static void
put_quoted(struct log_fields *fields, const char *value, size_t length)
{
	char *to = fields->text + fields->used;
	size_t room = sizeof fields->text - fields->used - RESERVE - 4;
	const char *last = to + MIN(room, VALUE_MAX);
	bool cut = false;

	*to++ = '"';
	for (size_t i = 0; i < length && !cut; i++) {
		uint8_t byte = (uint8_t)value[i];
		enum byte_class class = byte_class(byte);

		if (to >= last) {
			cut = true;
		} else if (class == BYTE_HEX) {
			to += put_hex(to, byte);
		} else {
			if (class == BYTE_ESCAPED)
				*to++ = '\\';
			*to++ = (char)byte;
		}
	}
	for (int i = 0; cut && i < 3; i++)
		*to++ = '.';
	*to++ = '"';
	fields->used = (size_t)(to - fields->text);
}

void
log_fields_bytes(struct log_fields *fields, const char *key, const char *value, size_t length)
{
	if (!begin_pair(fields, key))
		return;
	if (length <= VALUE_MAX && fields->used + length + RESERVE <= sizeof fields->text &&
	    is_bare(value, length)) {
		memcpy(fields->text + fields->used, value, length);
		fields->used += length;
	} else {
		put_quoted(fields, value, length);
	}
}

void
log_fields_text(struct log_fields *fields, const char *key, const char *value)
{
	log_fields_bytes(fields, key, value, strlen(value));
}

void
log_fields_int(struct log_fields *fields, const char *key, int64_t value)
{
	char digits[24];
	size_t at = sizeof digits;
	uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

	do
		digits[--at] = (char)('0' + rest % 10);
	while (rest /= 10);
	if (value < 0)
		digits[--at] = '-';
	log_fields_bytes(fields, key, digits + at, sizeof digits - at);
}

void
log_fields_write(struct log_fields *fields, enum log_level level)
{
	if (level > state.level)
		return;
	pthread_mutex_lock(&state.lock);
	put_line(level, fields->text, fields->used);
	pthread_mutex_unlock(&state.lock);
}
