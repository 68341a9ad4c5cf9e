/*
 * Whether a user can come to a Unix socket: what the modes of its folders and its own say.
 */
#ifndef GREYLAG_POLICYD_PROGRAM_REACH_H
#define GREYLAG_POLICYD_PROGRAM_REACH_H

/*
 * Why USER cannot connect to the socket at PATH, and what mends it, in a sentence; NULL if USER
 * can, or if there is no such user or socket. MODE_SETTING is the setting with the socket's mode:
 * "policy.socket_mode". To be freed with g_free().
 */
char *reach_obstacle(const char *path, const char *user, const char *mode_setting);

#endif
