/* notify.h - what a service tells systemd: sd_notify(3), one datagram. */
#ifndef SERVER_NOTIFY_H
#define SERVER_NOTIFY_H

/* "READY=1", or several such lines. Nothing happens where nobody listens (NOTIFY_SOCKET). */
void notify_say(const char *state);

#endif
