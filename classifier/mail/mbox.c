#include "config.h"

#include "classifier/mail/mbox.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "classifier/mail/corpus.h"

#define CHUNK (256u << 10)

/* A window on the stream: it begins with the message that is being looked for. */
struct mbox {
	int fd;
	GByteArray *window;
	size_t given; /* bytes of the window that were the last message */
	bool begun, is_mbox, at_end;
};

struct mbox *
mbox_new(int fd)
{
	struct mbox *mbox = g_new0(struct mbox, 1);

	mbox->fd = fd;
	mbox->window = g_byte_array_new();
	return mbox;
}

void
mbox_free(struct mbox *mbox)
{
	if (!mbox)
		return;
	g_byte_array_unref(mbox->window);
	g_free(mbox);
}

bool
mbox_is_mbox(const struct mbox *mbox)
{
	return mbox->is_mbox;
}

/* Reads until the window has LENGTH bytes or the stream ends. */
static bool
fill(struct mbox *mbox, size_t length, GError **error)
{
	while (!mbox->at_end && mbox->window->len < length) {
		guint before = mbox->window->len;
		ssize_t n;

		g_byte_array_set_size(mbox->window, before + CHUNK);
		do
			n = read(mbox->fd, mbox->window->data + before, CHUNK);
		while (n < 0 && errno == EINTR);
		g_byte_array_set_size(mbox->window, before + (guint)MAX(n, 0));
		if (n < 0) {
			g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(errno), "%s",
			    g_strerror(errno));
			return false;
		}
		mbox->at_end = n == 0;
	}
	return true;
}

static bool
starts_with_from(const uint8_t *at, size_t left)
{
	return left >= 5 && memcmp(at, "From ", 5) == 0;
}

/* A From_ line has a time in it, h:mm at least; a sentence that begins with From seldom has. */
static bool
has_time(const uint8_t *line, size_t length)
{
	for (size_t i = 1; i + 2 < length; i++)
		if (line[i] == ':' && g_ascii_isdigit(line[i - 1]) &&
		    g_ascii_isdigit(line[i + 1]) && g_ascii_isdigit(line[i + 2]))
			return true;
	return false;
}

/* Whether a message begins at OFFSET: a From_ line after an empty one, or one with a time. */
static bool
begins_message(const uint8_t *bytes, size_t length, size_t offset)
{
	const uint8_t *line = bytes + offset, *end;
	bool after_empty_line;

	if (!starts_with_from(line, length - offset))
		return false;
	after_empty_line =
	    offset >= 2 && bytes[offset - 1] == '\n' &&
	    (bytes[offset - 2] == '\n' ||
		(offset >= 3 && bytes[offset - 2] == '\r' && bytes[offset - 3] == '\n'));
	end = memchr(line, '\n', length - offset);
	return after_empty_line || has_time(line, end ? (size_t)(end - line) : length - offset);
}

/* The length of the header, its empty line included; 0 if it does not end here. */
static size_t
header_length(const uint8_t *bytes, size_t length)
{
	const uint8_t *line = bytes, *newline;

	while ((newline = memchr(line, '\n', length - (size_t)(line - bytes)))) {
		if (newline == line || (newline == line + 1 && *line == '\r'))
			return (size_t)(newline - bytes) + 1;
		line = newline + 1;
	}
	return 0;
}

static const uint8_t *
end_of_line(const uint8_t *from, const uint8_t *end)
{
	return from < end ? memchr(from, '\n', (size_t)(end - from)) : NULL;
}

/* The Content-Length of the header; false if there is none that can be read. */
static bool
content_length(const uint8_t *header, size_t length, size_t *ret_length)
{
	static const char name[] = "\ncontent-length:";
	size_t n = sizeof name - 1, value = 0;
	const uint8_t *at = NULL, *end = header + length;

	for (const uint8_t *line = end_of_line(header, end); line && !at;
	     line = end_of_line(line + 1, end))
		if (end - line > (ptrdiff_t)n &&
		    g_ascii_strncasecmp((const char *)line, name, n) == 0)
			at = line + n;
	if (!at)
		return false;
	while (at < header + length && (*at == ' ' || *at == '\t'))
		at++;
	if (at == header + length || !g_ascii_isdigit(*at))
		return false;
	for (; at < header + length && g_ascii_isdigit(*at); at++)
		if ((value = value * 10 + (size_t)(*at - '0')) > CORPUS_MESSAGE_MAX)
			return false;
	*ret_length = value;
	return true;
}

/* Where the message ends by its Content-Length; 0 if that is not to be believed. Blank lines
 * behind the body belong to no message. */
static bool
end_by_length(struct mbox *mbox, size_t *ret_end, GError **error)
{
	size_t header = header_length(mbox->window->data, mbox->window->len), body, end;

	*ret_end = 0;
	if (!header || !content_length(mbox->window->data, header, &body))
		return true;
	end = header + body;
	if (!fill(mbox, end + 64, error))
		return false;
	if (end > mbox->window->len)
		return true;
	while (end < mbox->window->len && strchr("\r\n", mbox->window->data[end]) &&
	       mbox->window->data[end])
		end++;
	if ((end == mbox->window->len && mbox->at_end) ||
	    (starts_with_from(mbox->window->data + end, mbox->window->len - end) &&
		mbox->window->data[end - 1] == '\n'))
		*ret_end = end;
	return true;
}

/* Where the next From_ line is, or the stream's end. */
static bool
end_by_line(struct mbox *mbox, size_t *ret_end, GError **error)
{
	size_t from = 0;

	for (;;) {
		const uint8_t *bytes = mbox->window->data, *newline;
		size_t length = mbox->window->len;

		while ((newline = memchr(bytes + from, '\n', length - from))) {
			size_t line = (size_t)(newline - bytes) + 1;

			/* A From_ line is judged when it is whole. */
			if (!mbox->at_end && !memchr(bytes + line, '\n', length - line))
				break;
			if (begins_message(bytes, length, line)) {
				*ret_end = line;
				return true;
			}
			from = line;
		}
		if (mbox->at_end) {
			*ret_end = length;
			return true;
		}
		if (!fill(mbox, length + 1, error))
			return false;
	}
}

static bool
find_end(struct mbox *mbox, size_t *ret_end, GError **error)
{
	if (!mbox->is_mbox) {
		if (!fill(mbox, CORPUS_MESSAGE_MAX, error))
			return false;
		*ret_end = mbox->window->len;
		mbox->at_end = true;
		return true;
	}
	if (!end_by_length(mbox, ret_end, error))
		return false;
	return *ret_end > 0 || end_by_line(mbox, ret_end, error);
}

bool
mbox_next(struct mbox *mbox, const uint8_t **ret_bytes, size_t *ret_length, GError **error)
{
	size_t end;

	g_byte_array_remove_range(mbox->window, 0, (guint)mbox->given);
	mbox->given = 0;
	if (!fill(mbox, CHUNK, error))
		return false;
	if (!mbox->begun) {
		mbox->begun = true;
		mbox->is_mbox = starts_with_from(mbox->window->data, mbox->window->len);
	}
	if (mbox->window->len == 0)
		return false;
	if (!find_end(mbox, &end, error))
		return false;
	mbox->given = end;
	*ret_bytes = mbox->window->data;
	*ret_length = MIN(end, CORPUS_MESSAGE_MAX);
	return true;
}
