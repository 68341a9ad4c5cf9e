#include "config.h"

#include "policyd/decide/reason.h"

static const struct reason_row rows[REASONS] = {
    [REASON_FIRST] = {"first", REASON_DEFERS, false,
	"sender, recipient and network were never seen together"},
    [REASON_EARLY] = {"early", REASON_DEFERS, false, "a retry before the delay was over"},
    [REASON_WINDOW_OVER] = {"window-over", REASON_DEFERS, false,
	"a retry after the retry window, or after the lifetime: counts as a first attempt"},
    [REASON_PASSED] = {"passed", REASON_PASSES, false, "a retry inside the retry window"},
    [REASON_KNOWN] = {"known", REASON_SPARES, false, "the triplet has passed before"},
    [REASON_KNOWN_CLIENT] = {"known-client", REASON_SPARES, false,
	"the client has passed often enough (auto-whitelist)"},
    [REASON_SAME_MESSAGE] = {"same-message", REASON_SPARES, true,
	"decided at an earlier recipient of the same message"},
    [REASON_AUTHENTICATED] = {"authenticated", REASON_SPARES, false, "the user has logged in"},
    [REASON_CERTIFICATE] = {"certificate", REASON_SPARES, false,
	"the fingerprint of the client's certificate is listed"},
    [REASON_OWN_NETWORK] = {"own-network", REASON_SPARES, false,
	"own networks and secondary MXs (whitelist.networks)"},
    [REASON_WHITELISTED_CLIENT] = {"whitelisted-client", REASON_SPARES, false,
	"listed in whitelist.clients"},
    [REASON_WHITELISTED_RECIPIENT] = {"whitelisted-recipient", REASON_SPARES, true,
	"listed in whitelist.recipients; holds for this recipient only"},
    [REASON_WHITELISTED_SENDER] = {"whitelisted-sender", REASON_SPARES, false,
	"listed in whitelist.senders"},
    [REASON_NOT_OPTED_IN] = {"not-opted-in", REASON_SPARES, true,
	"not listed in whitelist.opt_in; holds for this recipient only"},
    [REASON_ALLOWED] = {"allowed", REASON_SPARES, false, "allowed by greylagctl"},
    [REASON_NOT_SUSPICIOUS] = {"not-suspicious", REASON_SPARES, false,
	"greylist.when is suspicious, and the client is not"},
    [REASON_NULL_SENDER_LATER] = {"null-sender-later", REASON_SPARES, true,
	"greylist.null_sender is data: decided there"},
    [REASON_OFF] = {"off", REASON_SPARES, false, "greylist.mode is off"},
    [REASON_NO_ADDRESS] = {"no-address", REASON_SPARES, false,
	"the client's address is unknown or cannot be read"},
    [REASON_OTHER_REQUEST] = {"other-request", REASON_SPARES, true,
	"not a request of smtpd's access policy"},
    [REASON_OTHER_STATE] = {"other-state", REASON_SPARES, true,
	"greylisting has nothing to say in this state of the dialogue"},
    [REASON_STORE_UNAVAILABLE] = {"store-unavailable", REASON_FAILS, false,
	"the store did not answer in time"},
    [REASON_STORE_UNCERTAIN] = {"store-uncertain", REASON_FAILS, false,
	"the store did not say in time whether it wrote"},
    [REASON_STORE_FULL] = {"store-full", REASON_FAILS, false, "the disk is full"},
    [REASON_STORE_CORRUPT] = {"store-corrupt", REASON_FAILS, false,
	"the store, or a record in it, is damaged"},
    [REASON_EXPECTED] = {"expected", REASON_SPARES, true,
	"somebody waits for it (greylagctl expect)"},
    [REASON_REPUTATION] = {"reputation", REASON_SPARES, false,
	"earlier mail of the client's network or domain was wanted"},
    [REASON_CORRESPONDENT] = {"correspondent", REASON_SPARES, false,
	"an own user has written to the sender"},
};

const struct reason_row *
reason_row(enum reason reason)
{
	return &rows[reason];
}
