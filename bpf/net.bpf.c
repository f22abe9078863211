// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * What network devices move for the sockets of traced threads: packets handed to a driver, payload that
 * came in through a device and is copied to the application.
 *
 * A packet is told by its socket (sockets, filled when a traced thread first uses the descriptor), in
 * whatever context the stack sends it: what an acknowledgement sets free belongs to the socket's file and
 * to no request.
 *
 * Not seen: the original device of what came through another namespace's veth, datagrams of UDP in one
 * piece (no tracepoint), packets that XDP or the device itself handles.
 */
#include "socket.h"

#define LOOPBACK_IFINDEX 1 /* include/net/net_namespace.h: in every namespace; it moves nothing */

static __always_inline int emit_packet(struct thread_state *state, const struct socket_owner *owner, u64 bytes,
				       u32 ifindex, u32 flags)
{
	struct wire_packet *record =
		reserve(sizeof(*record), WIRE_PACKET, bpf_ktime_get_ns(), WIRE_LOSS_RING_TRANSFER);

	if (!record)
		return 0;
	record->owner.tgid = owner->tgid;
	record->owner.tid = state ? state->tid : 0;
	record->owner.start_ns = state ? state->start_ns : 0;
	record->bytes = bytes;
	record->ifindex = ifindex;
	record->file = owner->file;
	record->flags = flags;
	record->reserved = 0;
	submit(record);
	return 0;
}

/* A socket's address can be reused: its inode tells. */
static __always_inline struct socket_owner *find_socket(struct sock *sk)
{
	u64 key = (u64)sk;
	struct socket_owner *owner = key ? bpf_map_lookup_elem(&sockets, &key) : NULL;

	if (!owner || BPF_CORE_READ(sk, sk_socket, file, f_inode, i_ino) != owner->ino)
		return NULL;
	return owner;
}

/* An interface index means something only in its own network namespace: here, the collector's. */
static __always_inline bool is_here(struct sock *sk)
{
	return BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum) == self_netns;
}

SEC("?tp_btf/net_dev_start_xmit")
int BPF_PROG(net_send, struct sk_buff *skb, struct net_device *dev)
{
	struct socket_owner *owner;
	struct thread_state *state;
	struct sock *sk;

	/* Every packet of the machine comes by: a look at the map only if some socket is traced at all. */
	if (tally || !sockets_met || dev->ifindex == LOOPBACK_IFINDEX)
		return 0;
	sk = skb->sk;
	owner = find_socket(sk);
	if (!owner || !is_traced(owner->tgid) || !is_here(sk))
		return 0;
	/* Its own thread, in the middle of a write to this very file? */
	state = find_open(current_task());
	if (state && state->file != owner->file && state->to_file != owner->file)
		state = NULL;
	return emit_packet(state, owner, skb->len, dev->ifindex, 0);
}

SEC("?tp_btf/skb_copy_datagram_iovec")
int BPF_PROG(net_receive, struct sk_buff *skb, int bytes)
{
	const struct known_file *known;
	struct thread_state *state;
	struct socket_owner owner;

	if (tally || bytes <= 0 || skb->skb_iif <= LOOPBACK_IFINDEX) /* 0: a unix socket */
		return 0;
	state = find_open(current_task());
	if (!state || !WIRE_OP_COPIES(state->op))
		return 0;
	/* The socket is that of the descriptor: a received packet does not name it any more. */
	known = known_of(state);
	if (!known->file || known->alias != state->file)
		return 0;
	if (!is_here((struct sock *)socket_of((struct inode *)known->inode)))
		return 0;
	owner.tgid = state->tgid;
	owner.file = state->file;
	return emit_packet(state, &owner, bytes, skb->skb_iif, WIRE_PACKET_RECEIVED);
}
