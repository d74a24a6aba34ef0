// SPDX-License-Identifier: GPL-2.0-only
/* Bulk both ways on some connections, and a crowd that rests. */
#include "load.h"

#include <unistd.h>

#undef load_start
#undef load_finish
#undef exchange

#define MIB (1ULL << 20)
#define BULK TRANSFER(1, 65536, 65536)

static struct job *bulk_start(struct device *dev, struct peer *peer, bool send)
{
	struct link link;

	*peer = peer_open(dev);
	link = peer_connect(dev, peer);
	peer_tell(peer, send ? "recv 1 end" : "send 1 end");
	if (send)
		return start_sending(link.sock, BULK, TRANSFER_TO_END,
				     TRANSFER_BROKEN);
	return start_receiving(link.sock, BULK, TRANSFER_TO_END,
			       TRANSFER_RESET);
}

void load_start(struct load *load, struct device *dev)
{
	struct vsockdev_get_info before = info_of(dev->fd);

	for (int i = 0; i < LOAD_BULKS; i++)
		load->jobs[i] = bulk_start(dev, &load->peers[i], i % 2);
	for (int i = 0; i < LOAD_CROWD; i++)
		load->crowd[i] = link_connect(dev, SCRIPT_PORT);
	WAIT_FOR(info_of(dev->fd).rx_bytes > before.rx_bytes + MIB &&
		 info_of(dev->fd).tx_bytes > before.tx_bytes + MIB);
}

void load_finish(struct load *load)
{
	for (int i = 0; i < LOAD_BULKS; i++) {
		int sock = load->jobs[i]->sock;

		finish(load->jobs[i]);
		close(sock);
		expect_end(load->peers[i].link.sock, TRANSFER_RESET);
		link_close(&load->peers[i].link);
	}
	for (int i = 0; i < LOAD_CROWD; i++) {
		expect_end(load->crowd[i].sock, TRANSFER_RESET);
		link_close(&load->crowd[i]);
	}
}

void exchange(struct peer *peer, struct link *link, uint64_t seed)
{
	struct job *job;

	peer_tell(peer, "exchange %llu %llu %llu %llu",
		  (unsigned long long)seed, MIB, (unsigned long long)seed + 1,
		  MIB);
	job = start_sending(link->sock, TRANSFER(seed + 1, 1, 100000), MIB,
			    TRANSFER_DONE);
	receive_stream(link->sock, seed, MIB);
	finish(job);
	peer_hear_exactly(peer, "done %llu done %llu", MIB, MIB);
}
