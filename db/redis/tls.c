#include "config.h"

#include "db/redis/tls.h"

#ifdef HAVE_REDIS_TLS

#include <fcntl.h>
#include <hiredis/hiredis_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

/* An SSL_CTX counts its own references. */
static SSL_CTX *
context_of(struct redis_tls *tls)
{
	return (SSL_CTX *)tls;
}

/* What OpenSSL gave as its reason last. */
static const char *
last_reason(void)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	return reason ? reason : "it is not readable";
}

/* A daemon has nobody to ask. */
static int
no_passphrase(char *buffer G_GNUC_UNUSED, int size G_GNUC_UNUSED, int writing G_GNUC_UNUSED,
    void *context G_GNUC_UNUSED)
{
	return -1;
}

static bool
is_given(const char *file)
{
	return file && *file;
}

static bool
refuse(const char *setting, const char *file, GError **error)
{
	g_set_error(error, STORE_ERROR, 0, "%s \"%s\": %s", setting, file, last_reason());
	return false;
}

static bool
read_files(SSL_CTX *context, const struct store_tls *files, GError **error)
{
	const char *key = is_given(files->key) ? files->key : files->cert;

	if (!is_given(files->ca))
		SSL_CTX_set_default_verify_paths(context);
	else if (SSL_CTX_load_verify_locations(context, files->ca, NULL) != 1)
		return refuse("store.tls_ca", files->ca, error);
	if (!is_given(files->cert)) {
		if (!is_given(files->key))
			return true;
		g_set_error_literal(
		    error, STORE_ERROR, 0, "store.tls_key is of no use without store.tls_cert");
		return false;
	}
	if (SSL_CTX_use_certificate_chain_file(context, files->cert) != 1)
		return refuse("store.tls_cert", files->cert, error);
	if (SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1)
		return refuse("store.tls_key", key, error);
	return true;
}

struct redis_tls *
redis_tls_new(const struct store_tls *files, GError **error)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	bool good;

	if (!context) {
		g_set_error(error, STORE_ERROR, 0, "TLS: %s", last_reason());
		return NULL;
	}
	SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_default_passwd_cb(context, no_passphrase);
	ERR_clear_error();
	good = read_files(context, files, error);
	ERR_clear_error();
	if (good)
		return (struct redis_tls *)context;
	SSL_CTX_free(context);
	return NULL;
}

struct redis_tls *
redis_tls_ref(struct redis_tls *tls)
{
	if (tls)
		SSL_CTX_up_ref(context_of(tls));
	return tls;
}

void
redis_tls_unref(struct redis_tls *tls)
{
	SSL_CTX_free(context_of(tls));
}

/* hiredis would tell the server the name, and not look at the one in the certificate. */
static bool
expect_host(SSL *ssl, const char *host)
{
	if (g_hostname_is_ip_address(host))
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
	return SSL_set_tlsext_host_name(ssl, host) == 1 && SSL_set1_host(ssl, host) == 1;
}

static void
free_ssl(void *ssl)
{
	SSL_free(ssl);
}

bool
redis_tls_begin(struct redis_tls *tls, redisContext *redis, const char *host)
{
	SSL *ssl;

	if (!tls)
		return true;
	ERR_clear_error();
	ssl = SSL_new(context_of(tls));
	if (!ssl)
		return false;
	/* hiredis takes a reference if it goes well; this one is for redis_tls_problem(). */
	redis->privdata = ssl;
	redis->free_privdata = free_ssl;
	if (!expect_host(ssl, host))
		return false;
	SSL_up_ref(ssl);
	if (redisInitiateSSL(redis, ssl) == REDIS_OK)
		return true;
	SSL_free(ssl);
	return false;
}

/* NULL if the connection just ended. */
static const char *
reason_so_far(void)
{
	unsigned long code = ERR_peek_last_error();

	if (!code || ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
		return NULL;
	return ERR_reason_error_string(code);
}

/* With TLS 1.3 a server refuses this side's certificate after the handshake: its reason has come,
 * and is not read yet, when what is written to it fails. */
static const char *
reason_of(SSL *ssl, int fd)
{
	const char *reason = reason_so_far();
	char byte;

	if (reason || !SSL_is_init_finished(ssl) || fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		return reason;
	SSL_read(ssl, &byte, sizeof byte);
	return reason_so_far();
}

char *
redis_tls_problem(redisContext *redis)
{
	SSL *ssl = redis->free_privdata == free_ssl ? redis->privdata : NULL;
	const char *reason;
	long verdict;

	if (!ssl)
		return NULL;
	reason = reason_of(ssl, redis->fd);
	/* What is left there would spoil the next connection of this thread. */
	ERR_clear_error();
	verdict = SSL_get_verify_result(ssl);
	if (verdict != X509_V_OK)
		return g_strdup_printf(
		    "TLS: the server's certificate: %s", X509_verify_cert_error_string(verdict));
	if (reason)
		return g_strdup_printf("TLS: %s", reason);
	if (!SSL_is_init_finished(ssl) && redis->flags & REDIS_BLOCK)
		return g_strdup("TLS: no handshake; does the server speak TLS on this port?");
	return NULL;
}

#else

struct redis_tls *
redis_tls_new(const struct store_tls *files G_GNUC_UNUSED, GError **error)
{
	g_set_error_literal(error, STORE_ERROR, 0,
	    "this greylag was built without TLS, which takes hiredis 1.0 or newer with "
	    "hiredis_ssl; "
	    "use redis: through stunnel instead, see greylag-redis(7)");
	return NULL;
}

struct redis_tls *
redis_tls_ref(struct redis_tls *tls)
{
	return tls;
}

void
redis_tls_unref(struct redis_tls *tls G_GNUC_UNUSED)
{
}

bool
redis_tls_begin(struct redis_tls *tls G_GNUC_UNUSED, redisContext *redis G_GNUC_UNUSED,
    const char *host G_GNUC_UNUSED)
{
	return true;
}

char *
redis_tls_problem(redisContext *redis G_GNUC_UNUSED)
{
	return NULL;
}

#endif
