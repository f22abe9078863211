/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
 *
 * From a socket's inode to its struct sock, by which packets are told, and what is read of it.
 */
#ifndef IOHOPS_SOCKET_H
#define IOHOPS_SOCKET_H

#include "track.h"

#define S_IFSOCK 0140000
#define MSG_ZEROCOPY 0x4000000
#define NETIF_F_SG 1   /* include/linux/netdev_features.h: takes packets made of pages */
#define IFF_LOOPBACK 8 /* include/uapi/linux/if.h */

enum sock_flags {
	SOCK_ZEROCOPY,
};
struct ns_common {
	unsigned int inum;
} __attribute__((preserve_access_index));
struct net {
	struct ns_common ns;
} __attribute__((preserve_access_index));
typedef struct {
	struct net *net;
} possible_net_t;
struct sock_common {
	unsigned short skc_family;
	unsigned long skc_flags;
	possible_net_t skc_net;
} __attribute__((preserve_access_index));
struct dst_entry {
	struct net_device *dev;
} __attribute__((preserve_access_index));
struct sock {
	struct socket *sk_socket;
	struct sock_common __sk_common;
	u16 sk_type;
	u16 sk_protocol;
	u64 sk_route_caps;
	struct dst_entry *sk_dst_cache;
} __attribute__((preserve_access_index));
struct sk_buff {
	unsigned int len, data_len;
	unsigned int end;
	unsigned char *head;
	struct sock *sk;
	int skb_iif;
	char cb[48];
} __attribute__((preserve_access_index));
struct rtnl_link_ops {
	const char *kind;
} __attribute__((preserve_access_index));
struct net_device {
	int ifindex;
	unsigned int flags;
	const struct rtnl_link_ops *rtnl_link_ops;
} __attribute__((preserve_access_index));
struct socket_alloc {
	struct socket socket;
	struct inode vfs_inode;
} __attribute__((preserve_access_index));

static __always_inline u64 socket_of(struct inode *inode)
{
	struct socket_alloc *alloc = (void *)inode - bpf_core_field_offset(struct socket_alloc, vfs_inode);

	return (u64)BPF_CORE_READ(alloc, socket.sk);
}

#endif /* IOHOPS_SOCKET_H */
