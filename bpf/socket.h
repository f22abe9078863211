/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
 *
 * From a socket's descriptor to its struct sock, by which packets are told.
 */
#ifndef IOHOPS_SOCKET_H
#define IOHOPS_SOCKET_H

#include "track.h"

#define S_IFSOCK 0140000

static __always_inline u64 socket_of(struct file *file)
{
	struct socket *socket = BPF_CORE_READ(file, private_data);

	return (u64)BPF_CORE_READ(socket, sk);
}

#endif /* IOHOPS_SOCKET_H */
