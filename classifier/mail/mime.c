#include "config.h"

#include "classifier/mail/mime.h"

#include <string.h>
#include <glib.h>

#define GUESS_WINDOW (16 << 10) /* bytes in which a multipart's first boundary is looked for */
#define BOUNDARY_MIN 3
#define BOUNDARY_MAX 200

/* A part that has begun and not ended. */
struct open_part {
	unsigned index;
	size_t body;
	const char *boundary; /* of a multipart; NULL otherwise */
	size_t boundary_length;
};

struct walk {
	const struct mime_reader *reader;
	const char *bytes;
	size_t length;
	unsigned parts;
	unsigned open_count; /* is the depth of the next part */
	struct open_part open[MIME_DEPTH_MAX + 2];
	struct mime_result result;
};

/* The offset after the line at AT. */
static size_t
next_line(const struct walk *walk, size_t at)
{
	const char *lf = memchr(walk->bytes + at, '\n', walk->length - at);
	return lf ? (size_t)(lf - walk->bytes) + 1 : walk->length;
}

static bool
is_blank_until_line_end(const char *at, const char *end)
{
	while (at < end && (*at == ' ' || *at == '\t' || *at == '\r'))
		at++;
	return at == end || *at == '\n';
}

/* Whether the line at AT is PART's boundary, and whether the last one. */
static bool
is_boundary(const struct walk *walk, size_t at, const struct open_part *part, bool *ret_last)
{
	const char *p = walk->bytes + at + 2, *end = walk->bytes + walk->length;
	if (!part->boundary || (size_t)(end - p) < part->boundary_length ||
	    memcmp(p, part->boundary, part->boundary_length))
		return false;
	p += part->boundary_length;
	if (is_blank_until_line_end(p, end)) {
		*ret_last = false;
		return true;
	}
	*ret_last = true;
	return end - p >= 2 && p[0] == '-' && p[1] == '-' && is_blank_until_line_end(p + 2, end);
}

/* The innermost open part whose boundary the line at AT is, or -1. */
static int
find_boundary(const struct walk *walk, size_t at, bool *ret_last)
{
	if (walk->length - at < 2 || memcmp(walk->bytes + at, "--", 2))
		return -1;
	int i = (int)walk->open_count - 1;
	while (i >= 0 && !is_boundary(walk, at, &walk->open[i], ret_last))
		i--;
	return i;
}

/* Ends all open parts from the FIRSTth on, at END. */
static void
end_parts(struct walk *walk, unsigned first, size_t end)
{
	while (walk->open_count > first) {
		const struct open_part *part = &walk->open[--walk->open_count];
		struct mime_span body = {part->body, end > part->body ? end - part->body : 0};
		walk->reader->end(walk->reader->context, part->index, body);
	}
}

/* Where the fields that begin at AT end; a line that is no field, or a boundary, ends them. */
static size_t
header_end(const struct walk *walk, size_t at)
{
	bool last;
	while (at < walk->length && find_boundary(walk, at, &last) < 0) {
		const char *line = walk->bytes + at;
		size_t next = next_line(walk, at), i = 0, length = next - at;
		if (*line != ' ' && *line != '\t') {
			while (i < length && line[i] > ' ' && line[i] < 0x7f && line[i] != ':')
				i++;
			if (!i || i == length || line[i] != ':')
				break;
		}
		at = next;
	}
	return at;
}

/*
 * A boundary that is not declared, or never comes (of two declared ones the wrong one): the first
 * line in sight that begins with "--" and is no dash rule.
 */
static void
guess_boundary(const struct walk *walk, struct open_part *part)
{
	size_t end = MIN(walk->length, part->body + GUESS_WINDOW);
	for (size_t at = part->body; at < end; at = next_line(walk, at)) {
		const char *line = walk->bytes + at;
		bool last;
		if (end - at < 2 + BOUNDARY_MIN || line[0] != '-' || line[1] != '-')
			continue;
		if (find_boundary(walk, at, &last) >= 0)
			return;
		size_t length = next_line(walk, at) - at;
		while (length > 2 && (unsigned char)line[length - 1] <= ' ')
			length--;
		if (length < 2 + BOUNDARY_MIN || length > BOUNDARY_MAX || memchr(line, ' ', length))
			continue;
		part->boundary = line + 2;
		part->boundary_length = length - 2;
		return;
	}
}

static bool
boundary_comes(const struct walk *walk, const struct open_part *part)
{
	size_t end = MIN(walk->length, part->body + GUESS_WINDOW);
	bool last;
	for (size_t at = part->body; at < end; at = next_line(walk, at))
		if (walk->length - at > 2 && walk->bytes[at] == '-' && walk->bytes[at + 1] == '-' &&
		    is_boundary(walk, at, part, &last))
			return true;
	return walk->length > end;
}

/* Begins one part; returns whether its body begins with another message's fields. */
static bool
begin_part(struct walk *walk, struct mime_span header, size_t body)
{
	const struct mime_reader *reader = walk->reader;
	unsigned depth = walk->open_count;
	const char *boundary = NULL;
	struct mime_span rest = {body, walk->length - body};
	enum mime_kind kind = reader->begin(reader->context, header, rest, depth, &boundary);
	struct open_part *part = &walk->open[walk->open_count++];
	*part = (struct open_part){.index = walk->parts++, .body = body};
	if (kind != MIME_LEAF && depth >= reader->max_depth) {
		walk->result.depth_cut = true;
		return false;
	}
	if (kind != MIME_MULTIPART)
		return kind == MIME_MESSAGE;
	part->boundary = boundary;
	part->boundary_length = boundary ? strlen(boundary) : 0;
	if (!part->boundary_length || !boundary_comes(walk, part)) {
		part->boundary = NULL;
		guess_boundary(walk, part);
	}
	return false;
}

/* Begins the part whose fields are at AT, and the messages that it is the wrapping of. */
static size_t
begin_parts(struct walk *walk, size_t at)
{
	bool inner = true;
	while (inner) {
		if (walk->parts >= walk->reader->max_parts) {
			walk->result.parts_cut = true;
			return at;
		}
		struct mime_span header = {at, header_end(walk, at) - at};
		at += header.length;
		if (at < walk->length &&
		    is_blank_until_line_end(walk->bytes + at, walk->bytes + walk->length))
			at = next_line(walk, at);
		inner = begin_part(walk, header, at);
	}
	return at;
}

/* The next line at or after AT that begins with "--". */
static size_t
find_dashes(const struct walk *walk, size_t at)
{
	if (walk->length - at >= 2 && !memcmp(walk->bytes + at, "--", 2) &&
	    (!at || walk->bytes[at - 1] == '\n'))
		return at;
	const char *found = memmem(walk->bytes + at, walk->length - at, "\n--", 3);
	return found ? (size_t)(found - walk->bytes) + 1 : walk->length;
}

struct mime_result
mime_read(const uint8_t *bytes, size_t length, size_t header_length, size_t body,
    const struct mime_reader *reader)
{
	struct mime_reader bounded = *reader;
	bounded.max_depth = MIN(bounded.max_depth, MIME_DEPTH_MAX);
	struct walk walk = {.reader = &bounded, .bytes = (const char *)bytes, .length = length};
	size_t at = body;
	if (begin_part(&walk, (struct mime_span){0, header_length}, body))
		at = begin_parts(&walk, at);
	while (!walk.result.parts_cut && (at = find_dashes(&walk, at)) < length) {
		bool last = false;
		int part = find_boundary(&walk, at, &last);
		size_t next = next_line(&walk, at);
		if (part >= 0) {
			end_parts(&walk, (unsigned)part + 1, at ? at - 1 : 0);
			if (last)
				end_parts(&walk, (unsigned)part, next);
			else
				next = begin_parts(&walk, next);
		}
		at = next;
	}
	end_parts(&walk, 0, length);
	return walk.result;
}
