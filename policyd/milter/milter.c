#include "config.h"

#include "policyd/milter/milter.h"

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <libmilter/mfapi.h>

#include "classifier/mail/rewrite.h"
#include "lib/log.h"
#include "policyd/program/listener.h"

/* Seconds that libmilter waits for the mail server's next words: while a client sends a message,
 * all of which comes at its end, that may be long. */
#define TIMEOUT 7200

#define BACKLOG 200

/* Descriptors among which the listening one is looked for. */
#define DESCRIPTORS 1024

/* What is asked of the mail server, beyond what it tells anyhow. */
static const struct {
	int stage;
	const char *macros;
} wanted_macros[] = {
    {SMFIM_CONNECT, "j {client_addr} {client_name} {client_resolve}"},
    {SMFIM_HELO, "{tls_version}"},
    {SMFIM_ENVFROM, "i {auth_authen} {mail_mailer}"},
    {SMFIM_ENVRCPT, "i {rcpt_mailer}"},
    {SMFIM_EOM, "i"},
    {SMFIM_EOH, "i"},
};

#define WANTED_ACTIONS (SMFIF_ADDHDRS | SMFIF_CHGHDRS | SMFIF_QUARANTINE | SMFIF_SETSYMLIST)
#define WANTED_PROTOCOL                                                                            \
	(SMFIP_NODATA | SMFIP_NOUNKNOWN | SMFIP_SKIP | SMFIP_HDR_LEADSPC | SMFIP_NR_HELO |         \
	    SMFIP_NR_MAIL | SMFIP_NR_RCPT | SMFIP_NR_HDR | SMFIP_NR_EOH)

/* Of one connection. */
struct session {
	struct milter_client client;
	struct milter_message message;
	bool in_message; /* counted among the messages */
};

/* What the mail server has agreed to. Between negotiation and connection there is nothing else to
 * keep it in. */
struct agreement {
	unsigned long protocol;
	struct session *session;
};

/* libmilter hands no pointer of the program's to a new connection. */
static struct {
	const struct milter_options *options;
	pthread_t listener; /* the thread that waits for connections */
	atomic_uint connections, messages;
	/* As last agreed, for a further connection that comes without a negotiation of its own. */
	atomic_ulong protocol;
} milter;

/* -- sessions -- */

static void
end_message(struct session *session)
{
	if (session->in_message)
		atomic_fetch_sub(&milter.messages, 1);
	session->in_message = false;
	milter_message_clear(&session->message);
}

static void
end_session(struct agreement *agreement)
{
	struct session *session = agreement->session;

	if (!session)
		return;
	end_message(session);
	milter_client_clear(&session->client);
	g_free(session);
	agreement->session = NULL;
	atomic_fetch_sub(&milter.connections, 1);
}

static struct session *
begin_session(struct agreement *agreement)
{
	struct session *session;

	end_session(agreement);
	if (atomic_fetch_add(&milter.connections, 1) >= milter.options->max_connections) {
		atomic_fetch_sub(&milter.connections, 1);
		log_limited(LOG_LEVEL_WARNING, "connections",
		    "more than %u connections: further mail is let in unseen",
		    milter.options->max_connections);
		return NULL;
	}
	session = g_new0(struct session, 1);
	session->message.budget = milter.options->budget;
	session->message.limit = milter.options->message;
	agreement->session = session;
	return session;
}

static struct session *
session_of(SMFICTX *ctx)
{
	struct agreement *agreement = smfi_getpriv(ctx);

	return agreement ? agreement->session : NULL;
}

/* -- values -- */

static const char *
macro(SMFICTX *ctx, const char *name)
{
	const char *value;

	atomic_fetch_add(milter.options->perils, 1);
	value = smfi_getsymval(ctx, (char *)name);
	value = value && *value ? value : NULL;
	atomic_fetch_sub(milter.options->perils, 1);
	return value;
}

static char *
copy_text(const char *text)
{
	return text ? g_strndup(text, MILTER_TEXT_MAX) : NULL;
}

static struct address
address_of(const char *text, const struct sockaddr *from)
{
	struct address address = {.family = ADDRESS_NONE};

	if (text && !g_ascii_strncasecmp(text, "IPv6:", 5))
		text += 5;
	if (text && address_parse(text, &address))
		return address;
	if (from && from->sa_family == AF_INET) {
		address.family = ADDRESS_IPV4;
		memcpy(address.bytes, &((const struct sockaddr_in *)from)->sin_addr, 4);
	} else if (from && from->sa_family == AF_INET6) {
		address.family = ADDRESS_IPV6;
		memcpy(address.bytes, &((const struct sockaddr_in6 *)from)->sin6_addr, 16);
	}
	return address;
}

/* A name counts only if the mail server has verified it both ways. */
static char *
verified_name(SMFICTX *ctx)
{
	const char *name = macro(ctx, "{client_name}"), *resolved = macro(ctx, "{client_resolve}");

	if (!name || name[0] == '[' || !g_ascii_strcasecmp(name, "unknown") ||
	    (resolved && g_ascii_strcasecmp(resolved, "OK") != 0))
		return NULL;
	return copy_text(name);
}

/* Postfix's transports that deliver here, or to hosts of one's own that mail goes on to. */
static bool
is_inner_mailer(const char *mailer)
{
	static const char *const inner[] = {"local", "virtual", "lmtp", "relay", "dovecot", "pipe",
	    "maildrop", "mailman", "cyrus", NULL};

	return mailer && g_strv_contains(inner, mailer);
}

/* -- callbacks -- */

static void
ask_for_macros(SMFICTX *ctx)
{
	for (size_t i = 0; i < G_N_ELEMENTS(wanted_macros); i++)
		smfi_setsymlist(ctx, wanted_macros[i].stage, (char *)wanted_macros[i].macros);
}

static struct agreement *
agreement_of(SMFICTX *ctx)
{
	struct agreement *agreement = smfi_getpriv(ctx);

	if (!agreement) {
		agreement = g_new0(struct agreement, 1);
		agreement->protocol = atomic_load(&milter.protocol);
		smfi_setpriv(ctx, agreement);
	}
	return agreement;
}

static sfsistat
on_negotiate(SMFICTX *ctx, unsigned long actions, unsigned long protocol,
    unsigned long f2 G_GNUC_UNUSED, unsigned long f3 G_GNUC_UNUSED, unsigned long *ret_actions,
    unsigned long *ret_protocol, unsigned long *ret_f2, unsigned long *ret_f3)
{
	struct agreement *agreement = agreement_of(ctx);

	*ret_actions = actions & WANTED_ACTIONS;
	agreement->protocol = *ret_protocol = protocol & WANTED_PROTOCOL;
	atomic_store(&milter.protocol, agreement->protocol);
	*ret_f2 = *ret_f3 = 0;
	if (actions & SMFIF_SETSYMLIST)
		ask_for_macros(ctx);
	return SMFIS_CONTINUE;
}

/* What an event without a reply is answered with, if the mail server does without. */
static sfsistat
no_reply(SMFICTX *ctx, unsigned long step)
{
	const struct agreement *agreement = smfi_getpriv(ctx);

	return agreement && agreement->protocol & step ? SMFIS_NOREPLY : SMFIS_CONTINUE;
}

static sfsistat
on_connect(SMFICTX *ctx, char *host G_GNUC_UNUSED, struct sockaddr *from)
{
	struct session *session = begin_session(agreement_of(ctx));

	if (!session)
		return SMFIS_ACCEPT;
	session->client.address = address_of(macro(ctx, "{client_addr}"), from);
	session->client.name = verified_name(ctx);
	session->client.host = copy_text(macro(ctx, "j"));
	return SMFIS_CONTINUE;
}

static sfsistat
on_helo(SMFICTX *ctx, char *helo)
{
	struct session *session = session_of(ctx);

	if (session) {
		g_free(session->client.helo);
		session->client.helo = copy_text(helo);
		session->client.tls = macro(ctx, "{tls_version}") != NULL;
	}
	return no_reply(ctx, SMFIP_NR_HELO);
}

static sfsistat
on_sender(SMFICTX *ctx, char **arguments)
{
	struct session *session = session_of(ctx);

	if (session) {
		end_message(session);
		milter_message_sender(
		    &session->message, arguments && arguments[0] ? arguments[0] : "", time(NULL));
		session->message.user = copy_text(macro(ctx, "{auth_authen}"));
		session->message.sender_inner = is_inner_mailer(macro(ctx, "{mail_mailer}"));
		session->in_message = true;
		atomic_fetch_add(&milter.messages, 1);
	}
	return no_reply(ctx, SMFIP_NR_MAIL);
}

static sfsistat
on_recipient(SMFICTX *ctx, char **arguments)
{
	struct session *session = session_of(ctx);

	if (session && arguments && arguments[0])
		milter_message_recipient(
		    &session->message, arguments[0], is_inner_mailer(macro(ctx, "{rcpt_mailer}")));
	return no_reply(ctx, SMFIP_NR_RCPT);
}

static void
begin_header(SMFICTX *ctx, struct session *session)
{
	if (session->message.length)
		return;
	session->message.id = copy_text(macro(ctx, "i"));
	milter_message_received(&session->message, &session->client);
}

static sfsistat
on_field(SMFICTX *ctx, char *name, char *value)
{
	struct session *session = session_of(ctx);
	const struct agreement *agreement = smfi_getpriv(ctx);

	if (session && name) {
		begin_header(ctx, session);
		milter_message_field(&session->message, name, value ? value : "",
		    agreement->protocol & SMFIP_HDR_LEADSPC);
	}
	return no_reply(ctx, SMFIP_NR_HDR);
}

static sfsistat
on_end_of_header(SMFICTX *ctx)
{
	struct session *session = session_of(ctx);

	if (session) {
		begin_header(ctx, session);
		milter_message_end_of_header(&session->message);
	}
	return no_reply(ctx, SMFIP_NR_EOH);
}

static sfsistat
on_body(SMFICTX *ctx, unsigned char *bytes, size_t length)
{
	struct session *session = session_of(ctx);
	const struct agreement *agreement = smfi_getpriv(ctx);

	if (!session || milter_message_body(&session->message, bytes, length))
		return SMFIS_CONTINUE;
	return agreement->protocol & SMFIP_SKIP ? SMFIS_SKIP : SMFIS_CONTINUE;
}

/* Fields that came with the message, from the last on, since removing one renumbers the others. */
static bool
remove_forged(SMFICTX *ctx, unsigned forged)
{
	bool done = true;

	for (; forged; forged--)
		done &= smfi_chgheader(ctx, (char *)REWRITE_FIELD, (int)forged, NULL) == MI_SUCCESS;
	return done;
}

static bool
put_field(SMFICTX *ctx, const char *value)
{
	const struct agreement *agreement = smfi_getpriv(ctx);
	bool spaced = agreement->protocol & SMFIP_HDR_LEADSPC;
	g_autofree char *text = g_strconcat(spaced ? " " : "", value, NULL);

	return smfi_insheader(ctx, 0, (char *)REWRITE_FIELD, text) == MI_SUCCESS;
}

static sfsistat
refuse(SMFICTX *ctx, const struct milter_result *result)
{
	smfi_setreply(ctx, (char *)result->code, (char *)result->status, (char *)result->text);
	return result->deed == MILTER_REJECT ? SMFIS_REJECT : SMFIS_TEMPFAIL;
}

static sfsistat
carry_out(SMFICTX *ctx, const struct milter_result *result)
{
	bool done = true;

	if (result->deed == MILTER_REJECT || result->deed == MILTER_TEMPFAIL)
		return refuse(ctx, result);
	done &= remove_forged(ctx, result->forged);
	if (result->field)
		done &= put_field(ctx, result->field);
	if (result->deed == MILTER_QUARANTINE)
		done &= smfi_quarantine(ctx, result->text) == MI_SUCCESS;
	if (!done)
		log_limited(LOG_LEVEL_WARNING, "refused",
		    "the mail server did not take all that was to be done to a message");
	return SMFIS_CONTINUE;
}

static sfsistat
on_end_of_message(SMFICTX *ctx)
{
	struct session *session = session_of(ctx);
	struct milter_result result = {.deed = MILTER_PASS};
	sfsistat answer;

	if (!session || !session->in_message)
		return SMFIS_CONTINUE;
	begin_header(ctx, session);
	if (!session->message.id)
		session->message.id = copy_text(macro(ctx, "i"));
	milter.options->decide(
	    milter.options->context, &session->client, &session->message, &result);
	answer = carry_out(ctx, &result);
	milter_result_clear(&result);
	end_message(session);
	return answer;
}

static sfsistat
on_abort(SMFICTX *ctx)
{
	struct session *session = session_of(ctx);

	if (session)
		end_message(session);
	return SMFIS_CONTINUE;
}

static sfsistat
on_close(SMFICTX *ctx)
{
	struct agreement *agreement = smfi_getpriv(ctx);

	if (agreement)
		end_session(agreement);
	g_free(agreement);
	smfi_setpriv(ctx, NULL);
	return SMFIS_CONTINUE;
}

/* -- life -- */

/* libmilter's way of naming a socket: inet:PORT@HOST. Literal addresses go between brackets. */
static char *
connection_name(const char *address)
{
	const char *host = address + strlen("inet:"), *colon = strrchr(address, ':');
	g_autofree char *bare = NULL;
	struct address literal;

	if (!g_str_has_prefix(address, "inet:"))
		return g_strdup(address);
	bare = g_strndup(host, (size_t)(colon - host));
	if (bare[0] == '[')
		return g_strdup_printf("inet6:%s@%s", colon + 1, bare);
	if (address_parse(bare, &literal))
		return g_strdup_printf("inet:%s@[%s]", colon + 1, bare);
	return g_strdup_printf("inet:%s@%s", colon + 1, bare);
}

static bool
register_filter(void)
{
	const struct smfiDesc filter = {
	    .xxfi_name = (char *)"greylag",
	    .xxfi_version = SMFI_VERSION,
	    .xxfi_flags = WANTED_ACTIONS,
	    .xxfi_connect = on_connect,
	    .xxfi_helo = on_helo,
	    .xxfi_envfrom = on_sender,
	    .xxfi_envrcpt = on_recipient,
	    .xxfi_header = on_field,
	    .xxfi_eoh = on_end_of_header,
	    .xxfi_body = on_body,
	    .xxfi_eom = on_end_of_message,
	    .xxfi_abort = on_abort,
	    .xxfi_close = on_close,
	    .xxfi_negotiate = on_negotiate,
	};

	return smfi_register(filter) == MI_SUCCESS;
}

/* libmilter says in the system's log alone why it cannot listen: whoever can, says it here. */
static bool
try_to_listen(const char *address, mode_t mode, GError **error)
{
	g_autoptr(GArray) fds = g_array_new(FALSE, FALSE, sizeof(int));

	if (!listener_open(address, mode, fds, error))
		return false;
	listener_close(fds, true);
	return true;
}

bool
milter_open(const char *address, mode_t mode, GError **error)
{
	g_autofree char *name = connection_name(address);
	mode_t umask_before;
	bool opened;

	if (!try_to_listen(address, mode, error))
		return false;
	umask_before = umask(0777 & ~mode);
	opened = register_filter() && smfi_setconn(name) == MI_SUCCESS &&
		 smfi_setbacklog(BACKLOG) == MI_SUCCESS && smfi_settimeout(TIMEOUT) == MI_SUCCESS &&
		 smfi_opensocket(false) == MI_SUCCESS;
	umask(umask_before);
	if (!opened)
		g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_FAILED, "%s: cannot listen", address);
	return opened;
}

void
milter_close(const char *address)
{
	if (g_str_has_prefix(address, "unix:"))
		unlink(address + strlen("unix:"));
}

static void
wake_up(int number G_GNUC_UNUSED)
{
}

bool
milter_serve(const struct milter_options *options)
{
	const struct sigaction quiet = {.sa_handler = wake_up};

	milter.options = options;
	milter.listener = pthread_self();
	sigaction(SIGUSR1, &quiet, NULL);
	return smfi_main() == MI_SUCCESS;
}

static bool
is_listening(int fd)
{
	int listening = 0;
	socklen_t length = sizeof listening;

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) == 0 && listening;
}

/* libmilter knows one way to stop, which cuts all connections. So the socket is taken out of its
 * hands: in the descriptor's place comes one on which nothing ever happens, and the signal makes it
 * wait for that one. */
void
milter_stop_accepting(void)
{
	int silent[2]; /* both ends stay open */

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, silent) != 0)
		return;
	for (int fd = STDERR_FILENO + 1; fd < DESCRIPTORS; fd++)
		if (is_listening(fd)) {
			dup2(silent[0], fd);
			pthread_kill(milter.listener, SIGUSR1);
			return;
		}
}

unsigned
milter_connections(void)
{
	return atomic_load(&milter.connections);
}

unsigned
milter_messages(void)
{
	return atomic_load(&milter.messages);
}
