/*
 * Who holds a TCP port of this machine, for the message that it is taken.
 */
#ifndef GREYLAG_POLICYD_PROGRAM_HOLDER_H
#define GREYLAG_POLICYD_PROGRAM_HOLDER_H

/* "by postgrey (process 4711)", as far as /proc shows it to this user; else whom to suspect and how
 * to find out. To be freed with g_free(). */
char *holder_of_port(unsigned port);

#endif
