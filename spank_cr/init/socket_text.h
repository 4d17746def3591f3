/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* socket_text.h - bytes as text, two hexadecimal digits each */

#ifndef CR_INIT_SOCKET_TEXT_H
#define CR_INIT_SOCKET_TEXT_H

#include <stddef.h>

#include <jansson.h>

/* NULL without memory. */
json_t *socket_text(const void *data, size_t size);

/* At most size bytes; returns how many there are. -1: it is no such text, or has more. data may be NULL, to ask.
 */
int socket_bytes(const json_t *text, void *data, size_t size);

#endif
