/* The configuration and the store that a command works with. */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "classifier/cli/cli.h"
#include "classifier/cli/ownconf.h"

/* -- the configuration -- */

bool
cli_configure(struct cli *cli)
{
	const char *const *assignments = (const char *const *)cli->assignments;
	g_autofree char *own = ownconf_path();
	g_autoptr(GError) error = NULL;

	if (cli->settings)
		return true;
	cli->settings = cli->config ? settings_load(cli->config, assignments, &error)
				    : ownconf_load(settings_default_path(), own, assignments,
					  &cli->read, &error);
	if (!cli->settings)
		cli_fail(error);
	return cli->settings != NULL;
}

/* -- the store -- */

/* A plain user without a store of the configuration's has one at home. */
static char *
choose_store(const struct cli *cli)
{
	const char *configured = settings_text(cli->settings, SETTING_STORE_URI);
	bool is_default = strcmp(configured, settings_row(SETTING_STORE_URI)->default_value) == 0;
	const char *folder = configured + strlen("lmdb:");

	if (cli->store)
		return g_strdup(cli->store);
	if (is_default && geteuid() != 0 && access(folder, R_OK | W_OK | X_OK) != 0)
		return g_build_filename(g_get_user_data_dir(), "greylag", NULL);
	return g_strdup(configured);
}

static bool
open_bank(struct cli *cli, unsigned access, GError **error)
{
	g_autofree char *uri = choose_store(cli);

	g_free(cli->uri);
	cli->uri = strchr(uri, ':') ? g_strdup(uri) : g_strconcat("lmdb:", uri, NULL);
	/* Root reads anybody's mail, but leaves no file in the store that its owner cannot use. */
	if (store_act_as_owner(cli->uri, error))
		cli->bank = bank_open(cli->settings, cli->uri, access, error);
	store_act_as_self();
	return cli->bank != NULL;
}

static void
tell_nothing_learned(const struct cli *cli)
{
	fprintf(stderr,
	    "greylag: %s: nothing learned yet; begin with: greylag train --ham FOLDER --spam "
	    "FOLDER\n",
	    cli->uri);
}

static bool
fail_to_open(const struct cli *cli, const GError *error)
{
	if (store_is_missing(error))
		tell_nothing_learned(cli);
	else
		cli_fail(error);
	return false;
}

bool
cli_open(struct cli *cli, unsigned access)
{
	g_autoptr(GError) error = NULL;

	return open_bank(cli, access, &error) || fail_to_open(cli, error);
}

static bool
has_learned(const struct model *model)
{
	struct model_totals t;

	model_totals(model, &t);
	return t.learned.spam || t.learned.ham || t.imported.spam || t.imported.ham;
}

struct model *
cli_open_to_judge(struct cli *cli, unsigned how)
{
	g_autoptr(GError) error = NULL;
	struct model *model = NULL;

	/* What is not there yet judges as what is empty: nothing is made by reading. */
	if (!open_bank(cli, BANK_READ | how, &error) && store_is_missing(error)) {
		g_clear_error(&error);
		cli->missing = true;
		cli->bank = bank_open(cli->settings, "mem:", BANK_READ, &error);
	}
	if (!cli->bank) {
		fail_to_open(cli, error);
		return NULL;
	}
	model = bank_model(cli->bank);
	if (!model)
		cli_bank_fail(cli);
	else if (!has_learned(model))
		tell_nothing_learned(cli);
	return model;
}
